// What is said when git's output is not what git prints: a damaged repository, a full disk or another program by the name
// of git can do that, so it is a sentence for a person and no bug.

import { UserError } from "../base/errors.ts";

/** `expected` and `found` are in words or quoted. */
export function describeDamage(expected: string, found: string): UserError {
  return new UserError(
    `Expected ${expected}, found ${found}; run this again, and "git fsck" in the repository if it stays so`,
  );
}

/** The same of the log; `found` is quoted, and of a long text its beginning. */
export function surprise(expected: string, found: Buffer): UserError {
  return describeDamage(
    `${expected} in the output of git log`,
    JSON.stringify(found.toString("latin1", 0, 60)),
  );
}
