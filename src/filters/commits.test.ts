// What commits say of themselves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeAuthor, judgeBot, judgeCherryPick, judgeRevert } from "./commits.ts";
import type { CommitFacts } from "./verdict.ts";

function commit(part: Partial<CommitFacts>): CommitFacts {
  return { hash: "a".repeat(40), message: "m", author: "A", mail: "a@b.c", time: 0, merge: false, ...part };
}

test("programs are told from people whose names resemble theirs", () => {
  const bots = [
    "dependabot[bot]",
    "renovate",
    "jade-bot",
    "GitHub Actions Bot",
    "ESLint Jenkins",
    "jenkins",
    "jenkins-ci",
    "snyk-bot",
  ];
  const people = [
    "Talbot",
    "Abbot Smith",
    "Robot Johnson",
    "Botond",
    "Travis Miller",
    "Alan Jenkins",
    "jim jenkins",
    "A. Bothwell",
    "Renate",
  ];
  for (const author of bots) assert.equal(judgeBot(commit({ author }))?.reason, "bot", author);
  for (const author of people) assert.equal(judgeBot(commit({ author })), undefined, author);
  assert.equal(
    judgeBot(commit({ mail: "49699333+dependabot[bot]@users.noreply.github.com" }))?.reason,
    "bot",
  );
  assert.equal(judgeBot(commit({ mail: "12+someone@users.noreply.github.com" })), undefined);
});

test("only git's own words make a revert", () => {
  const hash = "0123456789".repeat(4);
  const reverts = ['Revert "x"', `Undo x\n\nThis reverts commit ${hash}.`, "revert: add y", 'Reapply "x"'];
  const others = [
    "revert to the old parser, the new one is slower",
    `Tune everything (#292)\n\n* faster\n\n* This reverts commit ${hash}.`,
    'Say why\n\nRevert "x" was wrong',
  ];
  for (const message of reverts) assert.equal(judgeRevert(commit({ message }))?.reason, "revert", message);
  for (const message of others) assert.equal(judgeRevert(commit({ message })), undefined, message);
});

test("a cherry-pick is known by the line that git adds", () => {
  const hash = "0123456789".repeat(4);
  const picked = judgeCherryPick(commit({ message: `Fix x\n\n(cherry picked from commit ${hash})` }));
  assert.deepEqual(picked, { reason: "cherry-pick", detail: "of 012345678901" });
  assert.equal(
    judgeCherryPick(commit({ message: `Explain "(cherry picked from commit ${hash})"` })),
    undefined,
  );
});

test("authors are asked for by a part of name or address", () => {
  const someone = commit({ author: "Ada Lovelace", mail: "ada@engine.org" });
  const judge = (author: string[], exclude: string[]) =>
    judgeAuthor({ author, exclude_author: exclude }, someone)?.detail;
  assert.equal(judge([], []), undefined);
  assert.equal(judge(["ada@"], []), undefined);
  assert.equal(judge(["LOVELACE"], []), undefined);
  assert.equal(judge(["babbage"], []), "not asked for");
  assert.equal(judge(["ada"], ["engine.org"]), "excluded");
});
