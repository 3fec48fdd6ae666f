// How much a commit's message says of its change, as a weight: an example with a poor message still shows how the
// code is written, so it counts less and is never left out. (A rule of at least five words would cost a third of
// expressjs/express.) What counts as noise follows the lists of CommitPackFT (bigcode-project/octopack) and
// CommitChronicle; the weights are ours.

type Row = {
  readonly name: string;
  readonly weight: number;
  /** Given the subject without prefix and pull request number, and the whole message. */
  readonly holds: (subject: string, message: string) => boolean;
};

const fits = (pattern: RegExp) => (subject: string) => pattern.test(subject);

/** Rows in the order in which they are asked; the first that holds gives the weight. */
export const messageRows: readonly Row[] = [
  { name: "empty", weight: 0.25, holds: (_, message) => countWords(message) === 0 },
  {
    name: "work in progress",
    weight: 0.25,
    holds: (subject, message) =>
      /^(?:fixup|squash|amend)! /.test(message) ||
      [subject, message].some((text) =>
        /^\W*(?:wip|work in progress|checkpoint|save(?:point)?|tmp|temp|snapshot|backup|oops)\b/i.test(text),
      ),
  },
  {
    name: "trivial",
    weight: 0.25,
    holds: fits(
      /^(?:(?:fix(?:ed)?|update[ds]?|minor|small|tiny|some|more|another|quick|little|various|misc(?:ellaneous)?)\s+)*(?:fix(?:e[sd])?|fixing|bug ?fix(?:es)?|update[sd]?|updating|test(?:s|ing)?|typos?|misc|clean(?:ed|ing)?[ -]?up|chang(?:e[sd]?|ing)|edit(?:s|ed)?|stuff|things|lint(?:ing)?|refactor(?:ed|ing)?|docs?|documentation|style|format(?:ting)?|tweak(?:s|ed)?|improve(?:ment)?s?|initial commit|first commit|init|commit|nits?|whitespace|review|feedback|comments?|release|ignore|progress|done|ok|code review|pr feedback|readme)\W*$/i,
    ),
  },
  {
    name: "web form",
    weight: 0.25,
    holds: fits(
      /^(?:update|create|delete|rename|add files via upload|edit(?:ed)?) ?(?:[\w./-]+\.\w{1,8}|\w*readme\w*)?\W*$/i,
    ),
  },
  {
    name: "merge",
    weight: 0.25,
    holds: fits(
      /^merge\b.{0,20}\b(?:branch|pull request|remote|tag|commit|pr)\b|^merge(?:d)? [\w/.-]+ into\b/i,
    ),
  },
  {
    name: "version",
    weight: 0.25,
    holds: fits(
      /^(?:(?:release|version|bump(?:ed)?|prepare|publish|tag|build|chore)\W*(?:to|for)?\s*)*v?\d+\.\d+(?:\.\d+)?[\w.+-]*\W*$/i,
    ),
  },
  {
    name: "written by a program",
    weight: 0.5,
    holds: fits(
      /^bump \S+ from \S+ to \S+|^(?:update|upgrade) (?:dependency|module|all|lock ?file|npm)\b.*(?:to v?\d|dependencies)|^auto(?:matic(?:ally)?|mated)?[- ](?:generated?|updated?|commit|fix(?:es)?|format|bump|sync|import|merged?)\b|^\[?(?:skip ci|ci skip)\b|^(?:re-?)?generated? (?:the )?(?:[\w-]+ )?(?:docs?|files?|api|guide|types?|again)?\W*$|^(?:sync|mirror(?:ed)?) (?:from|with)\b/i,
    ),
  },
  {
    name: "only a hash or a link",
    weight: 0.25,
    holds: fits(
      /^(?:#\d+|[0-9a-f]{7,64}|https?:\/\/\S+|[\s,])+$|^(?:fix(?:e[sd])?|close[sd]?|ref(?:s|erences)?|resolve[sd]?)\W+(?:#\d+|gh-\d+|https?:\S+)\W*$/i,
    ),
  },
  { name: "one word", weight: 0.5, holds: (_, message) => countWords(message) === 1 },
  { name: "two words", weight: 0.75, holds: (_, message) => countWords(message) === 2 },
];

/** The weight of a message, 0.25 to 1; 1 where no row holds. A body of five words or more speaks for itself. */
export function weighMessage(message: string): number {
  const text = withoutTrailers(message);
  const end = text.indexOf("\n");
  const subject = bareSubject(end < 0 ? text : text.slice(0, end));
  const row = messageRows.find(({ holds }) => holds(subject, text));
  const weight = row?.weight ?? 1;
  return weight < 1 && end >= 0 && countWords(text.slice(end)) >= 5 ? Math.max(weight, 0.75) : weight;
}

const TRAILER =
  /^(?:[A-Z][a-z]+(?:-[A-Za-z]+)*-(?:by|to|in|of|Id)|Change-Id|git-svn-id|PR-URL|Cc|Closes|Fixes|Refs?|Bug|Reviewed-on):\s.*$/gim;

function withoutTrailers(message: string): string {
  return message.replace(TRAILER, "").trim();
}

/** Without `[tag]`, `type(scope):` and `(#123)`, which say little of the change itself. */
function bareSubject(subject: string): string {
  return subject
    .replace(/^\s*(?:\[[^\]]{1,30}\]\s*)+/, "")
    .replace(/^[A-Za-z][\w-]{0,20}(?:\([^)]{1,30}\))?!?:\s+/, "")
    .replace(/\s*\(#\d+\)\s*$/, "")
    .trim();
}

const WORDS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]{1,2}|[\p{L}\p{N}][\p{L}\p{N}\p{M}'_./-]*/gu;

/** Words of a text; where a script puts no spaces between them, two characters count as one. */
function countWords(text: string): number {
  return text.match(WORDS)?.length ?? 0;
}
