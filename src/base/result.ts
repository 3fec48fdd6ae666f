// The outcome of something that is expected to fail at times, as data: a parsed text, an applied patch. Failures
// that a person must see are the errors of `errors.ts`; a `reason` becomes part of such a sentence or a counter.

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function failure(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
