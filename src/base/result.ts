// The outcome of something that is expected to fail at times, as data: a parsed text, an applied patch. Failures
// that a person must see are the errors of `errors.ts`; a `reason` becomes part of such a sentence or a counter.

/** A value, or the reason why there is none. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** The outcome that is a value. */
export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** The outcome that is none; `reason` is a part of a sentence, without capital and full stop. */
export function failure(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
