// Examples as ids that fit a length: the changes of a commit are packed together, long files become windows
// (`pack.ts`). What does not fit, or lies outside its window, is counted by name, never cut.

import { UserError } from "../base/errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./example.ts";
import { changedRanges, pointedRanges } from "./focus.ts";
import { answerOf, type Format, patchOf } from "./format.ts";
import { createMeasure, type Measure } from "./measure.ts";
import { type Ask, createPacker, type Lengths, type Packer, promptRoom, textsToLearn } from "./pack.ts";
import type { WantedChange } from "./raw-diff.ts";
import { type Rendered, renderPrompt, renderTexts } from "./render.ts";
import { filesToChange, type Request } from "./request.ts";

/** A request with the examples that it is made of, one for each file to change, in order. */
export type Packed = { readonly request: Request; readonly examples: readonly Example[] };

/** How examples become ids: by which tokenizer and format, in how much room, and what for. */
export type FitRule = Lengths & {
  readonly tokenizer: Tokenizer;
  readonly format: Format;
  readonly max_files: number;
  /** `train` points at changes that a window would not show, and gives long answers some of the prompt's room. To
   * measure is to show what use would show. */
  readonly purpose: "train" | "measure";
};

/** What became of all changes: `changes` is the sum of those in items and of the three that are left out. */
export type Fitting<T> = {
  readonly items: readonly T[];
  /** Dataset lines: changes of one file. */
  readonly changes: number;
  /** Changes of more tokens than the length. */
  readonly tooLong: number;
  /** Changes of lines that their window does not show. */
  readonly outside: number;
  /** Changes that the format has no words for. */
  readonly inexpressible: number;
  /** Items whose file is shown in part, and those of them whose window was pointed at the change. */
  readonly windowed: number;
  readonly focused: number;
};

/** Changes and characters of old content that are worked on together. */
const TOGETHER = { changes: 64, characters: 2_000_000 };
/** Source text never comes near this many characters a token; what is longer need not be encoded to know. */
const MOST_CHARACTERS_A_TOKEN = 8;

/** Renders examples, those of one commit together, in order; yields how many were looked at so far. `keep` makes what
 * is kept of an item, so that nobody holds texts that are not needed any more. */
export async function* renderFitting<T>(
  examples: Iterable<Example>,
  rule: FitRule,
  keep: (rendered: Rendered, packed: Packed) => T,
): AsyncGenerator<number, Fitting<T>> {
  const counts = { changes: 0, tooLong: 0, outside: 0, inexpressible: 0, windowed: 0, focused: 0 };
  const items: T[] = [];
  const measure = createMeasure(rule.tokenizer);
  for (const commits of commitsTogether(examples)) {
    counts.changes += commits.reduce((sum, commit) => sum + commit.length, 0);
    const asked = commits.map((commit) => askFor(commit, rule, counts));
    const fitted = await fitTogether(asked, { rule, measure, counts });
    for (const { rendered, packed } of fitted) items.push(keep(rendered, packed));
    yield counts.changes;
  }
  return { items, ...counts };
}

type Counts = { -readonly [K in keyof Omit<Fitting<never>, "items">]: number };
type Task = { readonly rule: FitRule; readonly measure: Measure; readonly counts: Counts };

/** Lists of commits, each the list of its changes. */
function* commitsTogether(examples: Iterable<Example>): Generator<readonly (readonly Example[])[]> {
  let commits: Example[][] = [];
  let waiting = { changes: 0, characters: 0 };
  for (const example of examples) {
    const open = commits.at(-1);
    if (open?.[0]?.commit === example.commit) open.push(example);
    else {
      if (waiting.changes >= TOGETHER.changes || waiting.characters >= TOGETHER.characters) {
        yield commits;
        commits = [];
        waiting = { changes: 0, characters: 0 };
      }
      commits.push([example]);
    }
    waiting.changes++;
    waiting.characters += example.old?.length ?? 0;
  }
  if (commits.length > 0) yield commits;
}

/** A change that the format can express. */
type Change = WantedChange & { readonly example: Example };
type Asked = { readonly changes: readonly Change[]; readonly ask: Ask };

/** What a commit asks for, less what has no answer or a hopelessly long one. */
function askFor(commit: readonly Example[], { format, max_length }: FitRule, counts: Counts): Asked {
  const changes: Change[] = [];
  for (const example of commit) {
    const patch = patchOf(example);
    const answer = patch.ok ? answerOf(format, example, patch.value) : patch;
    if (!patch.ok || !answer.ok) counts.inexpressible++;
    else if (answer.value.length > max_length * MOST_CHARACTERS_A_TOKEN) counts.tooLong++;
    else changes.push({ example, patch: patch.value, diff: example.diff });
  }
  const change = changes.map(({ example: { path, old } }) => ({ path, old, focus: [] }));
  return { changes, ask: { message: commit[0]!.message, change, context: [] } };
}

/** One try to make an item of some files of a commit. */
type Attempt = {
  readonly order: number;
  readonly packer: Packer;
  readonly members: readonly number[];
  /** Tokens that the prompt may have. */
  readonly limit: number;
  /** What it is built for: less than the limit where costs were summed up too low. */
  readonly room: number;
  readonly tries: number;
};
type Trial = Attempt & { readonly changes: readonly Change[]; readonly pointing: Pointing };
type Pointing = "nowhere" | "about" | "exactly";
type Draft = {
  readonly trial: Trial;
  readonly request: Request;
  readonly prompt: string;
  readonly answer: string;
  readonly weight: number;
};
type Fitted = { readonly rendered: Rendered; readonly packed: Packed; readonly order: number };

/** Tries, and where something is over its limit tries again with less, all texts of a round in one call. */
async function fitTogether(asked: readonly Asked[], task: Task): Promise<readonly Fitted[]> {
  const { rule, measure } = task;
  for (const { ask } of asked) await measure.learn(textsToLearn(ask, rule.format));
  const fitted: Fitted[] = [];
  let trials = asked.flatMap((one, i) => firstTrials(one, i, task));
  while (trials.length > 0) {
    const drafts = trials.flatMap((trial) => draftOf(trial, task) ?? []);
    const rendered = await renderTexts(rule.tokenizer, drafts);
    trials = drafts.flatMap((draft, i) => {
      const again = judge(draft, rendered[i]!, rule);
      if (again === "fits") fitted.push(accept(draft, rendered[i]!, task));
      else if (again.length === 0) task.counts.tooLong += draft.trial.members.length;
      return again === "fits" ? [] : again;
    });
  }
  return fitted.sort((a, b) => a.order - b.order);
}

/** More files than any commit has: the order of a commit's items is that of their first files. */
const MOST_FILES = 1e6;

function firstTrials({ ask, changes }: Asked, commit: number, { rule, measure }: Task): Trial[] {
  const packer = createPacker(ask, rule.format, measure);
  const room = promptRoom(rule);
  return packer.groups({ room, max_files: rule.max_files }).map((members) => ({
    order: commit * MOST_FILES + members[0]!,
    packer,
    members,
    limit: room,
    room,
    tries: 0,
    changes,
    pointing: "nowhere",
  }));
}

/** Texts for a trial, or a count. Where the window does not show the change, training points at it. */
function draftOf(trial: Trial, task: Task): Draft | undefined {
  const { rule, counts } = task;
  const { packer, members, room, pointing } = trial;
  const wanted = members.map((i) => trial.changes[i]!);
  const focus = focusFor(wanted, pointing);
  const request = packer.build(members, focus === undefined ? { room } : { room, focus });
  const answer = rule.format.answer(request, wanted);
  if (answer.ok) {
    const weight = wanted.reduce((sum, { example }) => sum + example.weight, 0) / wanted.length;
    return { trial, request, prompt: rule.format.prompt(request), answer: answer.value, weight };
  }
  if (rule.purpose === "measure") counts.outside += members.length;
  else if (pointing === "exactly") counts.tooLong += members.length;
  else return draftOf({ ...trial, pointing: pointing === "nowhere" ? "about" : "exactly" }, task);
  return undefined;
}

function focusFor([change]: readonly Change[], pointing: Pointing) {
  if (change === undefined || pointing === "nowhere") return undefined;
  return pointing === "about" ? pointedRanges(change.patch, change.example) : changedRanges(change.patch);
}

/** Whether a draft fits, or what to try instead; nothing when there is nothing to try. */
function judge({ trial }: Draft, { ids, promptLength }: Rendered, rule: FitRule): "fits" | Trial[] {
  const over = promptLength - trial.limit;
  if (over > 0) return retry(trial, over);
  const excess = ids.length - rule.max_length;
  const isLong = ids.length - promptLength > (rule.max_out_len ?? Infinity);
  if (excess <= 0 && !isLong) return "fits";
  if (trial.members.length > 1) return divide(trial);
  if (isLong) return [];
  const limit = promptLength - excess;
  // In training the prompt of a long answer gets shorter, but not so short that it is another task.
  return rule.purpose === "train" && limit >= rule.max_length / 4
    ? retry({ ...trial, limit, room: limit }, 0)
    : [];
}

/** Sums of costs differ from the cost of the whole by little. */
const MOST_TRIES = 5;

/** The same for a prompt that was `over` its limit: less room, which context gives first; in the end fewer files. */
function retry<A extends Attempt>(attempt: A, over: number): A[] {
  const { room, tries } = attempt;
  return tries === MOST_TRIES ? divide(attempt) : [{ ...attempt, room: room - over, tries: tries + 1 }];
}

/** Two requests instead of one; of a single file there are none. */
function divide<A extends Attempt>(attempt: A): A[] {
  const { members, order, limit } = attempt;
  if (members.length === 1) return [];
  const half = Math.ceil(members.length / 2);
  return [members.slice(0, half), members.slice(half)].map((part) => ({
    ...attempt,
    members: part,
    order: order + part[0]! - members[0]!,
    room: limit,
    tries: 0,
  }));
}

function accept({ trial, request }: Draft, rendered: Rendered, { counts }: Task): Fitted {
  if (filesToChange(request).some(({ shown }) => shown !== "all")) counts.windowed++;
  if (trial.pointing !== "nowhere") counts.focused++;
  const examples = trial.members.map((i) => trial.changes[i]!.example);
  return { rendered, packed: { request, examples }, order: trial.order };
}

/** The requests that ask for the same in prompts of at most `room` tokens, by the same rule. A `UserError` names a
 * message that leaves no room, or a file of which no line fits. */
export async function fitAsk(
  ask: Ask,
  { tokenizer, format, room, max_files }: FitAskRule,
): Promise<readonly Request[]> {
  if (ask.message.length > room * MOST_CHARACTERS_A_TOKEN) {
    throw tooLongMessage(room, `${ask.message.length} characters`);
  }
  const measure = createMeasure(tokenizer);
  await measure.learn(textsToLearn(ask, format));
  const packer = createPacker(ask, format, measure);
  const fitted: { readonly order: number; readonly request: Request }[] = [];
  let attempts: readonly Attempt[] = packer
    .groups({ room, max_files })
    .map((members) => ({ order: members[0]!, packer, members, limit: room, room, tries: 0 }));
  while (attempts.length > 0) {
    const next: Attempt[] = [];
    for (const attempt of attempts) {
      const request = packer.build(attempt.members, attempt);
      const tokens = (await renderPrompt(tokenizer, format, request)).length;
      if (tokens > attempt.limit) {
        const again = retry(attempt, tokens - attempt.limit);
        if (again.length === 0) throw tooLongMessage(room, `${tokens} with it`);
        next.push(...again);
        continue;
      }
      requireLines(request, room);
      fitted.push({ order: attempt.order, request });
    }
    attempts = next;
  }
  return fitted.sort((a, b) => a.order - b.order).map(({ request }) => request);
}

function tooLongMessage(room: number, found: string): UserError {
  return new UserError(
    `Expected a message that leaves room for files in the ${room} tokens of a request, found ${found}; give a shorter message, or a larger --max_context`,
  );
}

function requireLines(request: Request, room: number): void {
  const hidden = filesToChange(request).find(({ shown }) => shown !== "all" && shown.length === 0);
  if (hidden === undefined) return;
  throw new UserError(
    `Expected a file of which a line fits in the ${room} tokens of a request, found none in ${hidden.path}; give a shorter message, or a larger --max_context`,
  );
}

export type FitAskRule = Pick<FitRule, "tokenizer" | "format" | "max_files"> & {
  /** Tokens of a prompt, at most. */
  readonly room: number;
};
