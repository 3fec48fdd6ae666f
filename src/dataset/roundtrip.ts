// Proof that an example teaches what the commit did: the diff, applied, gives the blob that git has, and every
// answer format leads back to the same bytes. A blob's name is git's: the hash of "blob LENGTH\0" and the bytes
// (git-hash-object).

import { failure, type Result, success } from "../base/result.ts";
import { applyPatch } from "../patch/apply.ts";
import type { Change } from "../patch/create.ts";
import { type Patch, pathBefore } from "../patch/hunk.ts";
import { isSafePath } from "../patch/path.ts";
import { type Algorithm, nameText } from "./blob.ts";
import type { Example } from "./example.ts";
import { answerOf, type Format, formats, patchOf } from "./format.ts";
import { isSameDiff } from "./raw-diff.ts";
import { requestOf } from "./request.ts";

/** The blob after the commit, as git names it. */
export type Blob = { readonly oid: string; readonly algorithm: Algorithm };

/** What a sound example's diff makes of its file, `null` where it deletes it; valid until the next one is checked. */
export type RoundTrip = { readonly patch: Patch; readonly after: Buffer | null };

/**
 * The patch of an example that is sound, and its result: its diff gives the commit's blob, at least one format can express it, and
 * every one that can leads back to the same bytes. `newBlob` is `null` when the commit deletes the file. What one
 * format has no words for is left out, under its reason, where examples are rendered in that format.
 */
export function checkRoundTrip(example: Example, newBlob: Blob | null): Result<RoundTrip> {
  const patch = patchOf(example);
  if (!patch.ok) return failure(`parse: ${patch.reason}`);
  if (![patch.value.path, pathBefore(patch.value)].every(isSafePath)) return failure("an unsafe path");
  // Answers first: what no format can express (links, submodules) has no text to apply to either.
  const answers: { readonly format: Format; readonly text: string }[] = [];
  let refusal = "";
  for (const format of Object.values(formats)) {
    const answer = answerOf(format, example, patch.value);
    if (answer.ok) answers.push({ format, text: answer.value });
    else refusal ||= `${format.name}: ${answer.reason}`;
  }
  if (answers.length === 0) return failure(refusal);
  const result = applyPatch(patch.value, example.old);
  if (!result.ok) return failure(`apply: ${result.reason}`);
  const after = provedBlob(result.value, newBlob);
  if (after === undefined) return failure("blob: the result is not the file that the commit has");
  for (const { format, text } of answers) {
    // Raw diffs are compared as text: reading them once more would double the time of it all.
    if (format.name === "diff" && isSameDiff(text, { patch: patch.value, diff: example.diff })) continue;
    const changes = format.read(text, requestOf(example));
    const wrong = changes.ok ? differs(changes.value, patch.value, result.value) : changes.reason;
    if (wrong !== undefined) return failure(`${format.name}: ${wrong}`);
  }
  return success({ patch: patch.value, after });
}

/** The bytes of a text that is the blob, `null` where both are nothing, and `undefined` for another. */
function provedBlob(text: string | null, blob: Blob | null): Buffer | null | undefined {
  if (text === null || blob === null) return text === null && blob === null ? null : undefined;
  const { oid, bytes } = nameText(text, blob.algorithm);
  return oid === blob.oid ? bytes : undefined;
}

/** How what an answer means is another change than the patch's, if it is. */
function differs([change]: readonly Change[], patch: Patch, text: string | null): string | undefined {
  if (change === undefined) return "no change";
  const { path, from, mode } = change;
  if (path !== patch.path || (from ?? path) !== pathBefore(patch)) return "another path";
  if (patch.kind === "create" && mode !== patch.mode) return "another mode";
  return change.new === text ? undefined : "other bytes";
}
