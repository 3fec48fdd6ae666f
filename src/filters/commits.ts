// What a commit as a whole says: who wrote it, and whether its message is git's own record of a change that the
// history has already, the other way round or the same. Only what git writes counts as such: a message in a person's
// own words, "revert to the old parser because of X", is a request like any other.

import type { CommitFacts, Verdict } from "./verdict.ts";

/** Programs that commit under a name without "bot" in it. */
const PROGRAMS = [
  ...[
    "dependabot",
    "renovate",
    "greenkeeper",
    "snyk",
    "pyup",
    "imgbot",
    "allcontributors",
    "semantic-release",
  ],
  ...["github-actions", "github actions", "travis ci", "circleci", "azure pipelines", "weblate"],
  ...[
    "transifex",
    "crowdin",
    "pre-commit-ci",
    "mergify",
    "codecov",
    "depfu",
    "scala steward",
    "release-please",
  ],
];

const BOT_NAME = new RegExp(
  `\\[bot\\]|(?:^|[\\s_-])bot(?:$|[\\s_-])|[a-z]Bot$|(?:^|\\W)(?:${PROGRAMS.join("|")})(?:$|\\W)`,
);
/** Jenkins is a family name too: alone, or behind a name that no person has, such as ESLint, it is the program. */
const JENKINS = /^(?:\w*[A-Z]\w*[A-Z]\w*[\s_-])?[Jj]enkins(?:[\s_-]?(?:CI|ci))?$/;
const BOT_MAIL = /\[bot\]@|(?:^|[._+-])bot@|^(?:jenkins|travis|buildbot|ci|github-actions|renovate)@/i;

/** A program wrote it. */
export function judgeBot({ author, mail }: CommitFacts): Verdict | undefined {
  const isNamed = BOT_NAME.test(author) || BOT_NAME.test(author.toLowerCase()) || JENKINS.test(author);
  const isBot = isNamed || BOT_MAIL.test(mail);
  return isBot ? { reason: "bot", detail: author } : undefined;
}

/** At the start, or as the first sentence below the subject: a squashed commit may list a revert among its steps. */
const REVERT = /^(?:(?:Reapply|Revert) "|revert: |[^\n]*\n\s*This reverts commit [0-9a-f]{7,64})/;

/** `git revert` wrote it: its answer is what the history had before. */
export function judgeRevert({ message }: CommitFacts): Verdict | undefined {
  return REVERT.test(message) ? { reason: "revert" } : undefined;
}

const CHERRY_PICK = /^\(cherry picked from commit ([0-9a-f]{7,64})\)$/m;

/** `git cherry-pick -x` wrote it: the same change stands elsewhere. */
export function judgeCherryPick({ message }: CommitFacts): Verdict | undefined {
  const found = CHERRY_PICK.exec(message);
  return found === null ? undefined : { reason: "cherry-pick", detail: `of ${found[1]!.slice(0, 12)}` };
}

export type AuthorChoice = { readonly author: readonly string[]; readonly exclude_author: readonly string[] };

/** Whether a person wants this author; a text is looked for in name and address, in any case. */
export function judgeAuthor(choice: AuthorChoice, commit: CommitFacts): Verdict | undefined {
  const who = `${commit.author} <${commit.mail}>`.toLowerCase();
  const isNamed = (texts: readonly string[]) => texts.some((text) => who.includes(text.toLowerCase()));
  if (isNamed(choice.exclude_author)) return { reason: "author", detail: "excluded" };
  if (choice.author.length > 0 && !isNamed(choice.author))
    return { reason: "author", detail: "not asked for" };
  return undefined;
}
