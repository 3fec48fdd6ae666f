// Stand-ins for what the forms of 2022 did not keep. A commit's id is a hash of what its records share, so that reading
// the same files again gives the same ids; its time is its place in the order of commits, counted from 0, as if that
// many seconds had passed since 1970: an order, not a date.

import { createHash } from "node:crypto";

/** An id of 40 hexadecimal digits, like git's, that no commit has. */
export function standInCommit(form: string, group: string): string {
  return createHash("sha1").update(`codefudge ${form}\0${group}`).digest("hex");
}
