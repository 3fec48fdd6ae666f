// Joins the changes of the log with the contents they start from, in order and in batches. What a record says already
// decides here whether its content is worth fetching; what a content says does not.

import type { Answer, BlobReader, Question } from "./blobs.ts";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import type { Drop } from "./reasons.ts";
import { createRoom, type Room, type Slabs } from "./slabs.ts";

/** A change with its contents, or with the reason why they were not fetched. */
export type JoinedChange = {
  readonly kind: "change";
  readonly commit: LogCommit;
  readonly change: Change;
  readonly found: Found;
};

export type Joined = Extract<LogEntry, { kind: "commit" }> | JoinedChange;

export type Found = Contents | { readonly drop: Drop };

export type Contents = {
  /** The content before; `null` for a creation, and "kept" for one that was not fetched because whoever judges has it. */
  readonly old: Buffer | null | "kept";
  /** The change's section, beside it. */
  readonly section: Buffer;
};

export type JoinRules = {
  readonly maxFileBytes: number;
  /** git compares no contents above this, and calls them binary. */
  readonly bigFileBytes: number;
  /** The reason that a record has in itself, if it has one. */
  readonly dropByRecord: (change: Change, commit: LogCommit) => Drop | undefined;
};

const CHANGES_PER_BATCH = 48;
const ENTRIES_PER_BATCH = 256;
// What a batch may hold at most, but for a batch of one.
const BYTES_PER_BATCH = 3 << 20;

/** The log cut into batches that fit into memory side by side. */
export async function* batchesOf(
  pieces: AsyncIterable<readonly LogEntry[]>,
  { maxFileBytes }: JoinRules,
): AsyncGenerator<LogEntry[]> {
  const most = Math.max(1, Math.min(CHANGES_PER_BATCH, Math.floor(BYTES_PER_BATCH / maxFileBytes)));
  let batch: LogEntry[] = [];
  let changes = 0;
  for await (const entries of pieces) {
    for (const entry of entries) {
      batch.push(entry);
      if (entry.kind === "change") changes++;
      if (changes < most && batch.length < ENTRIES_PER_BATCH) continue;
      yield batch;
      batch = [];
      changes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

/** A batch with what was found; all contents and sections that were kept lie in `slab`. */
export type JoinedBatch = { readonly entries: readonly Joined[]; readonly slab: ArrayBuffer };

type Sources = {
  readonly reader: BlobReader;
  readonly slabs: Slabs;
  /** Ids of contents that need not be fetched; those that batches bring are added. */
  readonly kept?: Set<string> | undefined;
};

/** `fetched` has every content fetched. */
export type Joiner = (batch: readonly LogEntry[], fetched?: boolean) => Promise<JoinedBatch>;

/** Joins every change of a batch with what `reader` has for it; batches may be joined side by side. */
export function createJoiner({ reader, slabs, kept }: Sources, rules: JoinRules): Joiner {
  const large = createLargePaths();
  return async (batch, fetched = false) => {
    const room = createRoom(slabs);
    const ask = async (tasks: readonly Task[]) => {
      const answers = (
        await reader.ask(
          tasks.flatMap(({ questions }) => questions),
          room,
        )
      ).values();
      for (const task of tasks) task.answers = task.questions.map(() => answers.next().value!);
    };
    const tasks = batch.map((entry) => (entry.kind === "commit" ? null : beginTask(entry, rules)));
    const open = tasks.filter((task) => task !== null && task.drop === undefined) as Task[];
    for (const task of open) {
      const { change } = task.entry;
      task.section = keepSection(change, room);
      task.isKept = !fetched && kept !== undefined && isKept(change, kept);
      if (!task.isKept) task.questions = questionsOf(change, rules, large);
      if (willBeKept(change, large)) kept?.add(change.newOid);
    }
    await ask(open);
    for (const task of open) {
      task.drop = dropBySize(task, rules);
      if (task.drop !== undefined) kept?.delete(task.entry.change.newOid);
      large.note(task);
    }
    // What was too large before and is not any more.
    const rest = open.filter(({ drop, answers }) => drop === undefined && answers[0]?.at === null);
    for (const task of rest) task.questions = [{ oid: task.entry.change.oldOid, most: rules.maxFileBytes }];
    await ask(rest);
    const slab = room.slab();
    return { entries: batch.map((entry, i) => join(entry, tasks[i]!, slab)), slab };
  };
}

type ChangeEntry = Extract<LogEntry, { kind: "change" }>;

/** A change on its way: what was asked for it and what came. */
type Task = {
  readonly entry: ChangeEntry;
  drop: Drop | undefined;
  /** Where its section lies. */
  section: number;
  isKept: boolean;
  questions: readonly Question[];
  answers: readonly Answer[];
};

function beginTask(entry: ChangeEntry, rules: JoinRules): Task {
  const drop = rules.dropByRecord(entry.change, entry.commit);
  return { entry, drop, section: 0, isKept: false, questions: [], answers: [] };
}

function keepSection({ section }: Change, room: Room): number {
  const at = room.reserve(section!.length);
  section!.copy(room.bytes(), at);
  return at;
}

function isKept({ binary, oldOid }: Change, kept: ReadonlySet<string>): boolean {
  return !binary && kept.has(oldOid);
}

/** Whoever judges a change has its new content then. */
function willBeKept(change: Change, large: LargePaths): boolean {
  return !change.binary && exists(change.newOid) && !large.has(change);
}

/** Of what git calls binary only the sizes are asked: they tell binary from too large to look at. */
function questionsOf(change: Change, { maxFileBytes }: JoinRules, large: LargePaths): Question[] {
  const { binary, oldOid, newOid } = change;
  if (binary) return [oldOid, newOid].filter(exists).map((oid) => ({ oid, most: null }));
  if (!exists(oldOid)) return [];
  return [{ oid: oldOid, most: large.has(change) ? null : maxFileBytes }];
}

type LargePaths = ReturnType<typeof createLargePaths>;

const MOST_LARGE_PATHS = 4096;

/** Paths whose content was too large when it was last met. The next one most likely is, too: asking for its size first
 * spares git and us the content, and asking nothing first spares all others the question. */
function createLargePaths() {
  const paths = new Set<string>();
  const keyOf = ({ oldPath }: Change) => oldPath.toString("latin1");
  return {
    has: (change: Change) => paths.size > 0 && paths.has(keyOf(change)),
    note({ entry: { change }, drop }: Task): void {
      if (change.binary || (drop === undefined && paths.size === 0)) return;
      if (paths.size === MOST_LARGE_PATHS) paths.clear();
      if (drop === undefined) paths.delete(keyOf(change));
      else paths.add(keyOf(change));
    },
  };
}

/** Why a change is left out by the sizes of its contents, if it is. */
function dropBySize({ entry: { change }, answers }: Task, rules: JoinRules): Drop | undefined {
  if (change.binary) {
    const large = answers.some(({ size }) => size > rules.bigFileBytes);
    return large ? { reason: "over-size", detail: "content" } : { reason: "binary" };
  }
  const tooLarge = answers.some(({ size }) => size > rules.maxFileBytes);
  return tooLarge ? { reason: "over-size", detail: "old content" } : undefined;
}

function join(entry: LogEntry, task: Task | null, slab: ArrayBuffer): Joined {
  if (entry.kind === "commit" || task === null) return entry as Joined;
  const { drop, section } = task;
  if (drop !== undefined) return { ...entry, found: { drop } };
  const found = {
    old: oldOf(task, slab),
    section: Buffer.from(slab, section, entry.change.section!.length),
  };
  return { ...entry, found };
}

function oldOf({ isKept, answers: [old] }: Task, slab: ArrayBuffer): Contents["old"] {
  if (isKept) return "kept";
  return old === undefined ? null : Buffer.from(slab, old.at!, old.size);
}

/** False for the id of nothing, all zeros: before a creation, after a deletion. */
export function exists(oid: string): boolean {
  return !/^0+$/.test(oid);
}
