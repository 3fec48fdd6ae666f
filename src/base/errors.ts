// The two kinds of failure a person sees. Anything else that is thrown is a bug and keeps its stack.

/** Something outside the program is wrong: says what was expected, what was found, and what to do next (exit 1). */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The command line is wrong: an unknown option, a missing argument, a value of the wrong kind (exit 2). */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** True for the error that an aborted `AbortSignal` throws, by us or by Node. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
