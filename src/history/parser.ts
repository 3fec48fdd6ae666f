// Parses the bytes of `git log --raw -p -z` (format in log.ts) as they arrive, in pieces of any size. Fields and
// raw records are counted by NUL, patch sections by the number of records, hunks by their line counts: no text of a
// repository is ever searched for something that looks like a header. Paths and modes come from the raw records,
// never from the quoted patch header. It starts no process.

import { isUtf8 } from "node:buffer";
import type { Change, LogCommit, LogEntry } from "./change.ts";
import {
  BINARY_LINE,
  HEADER_LINES,
  type HeaderRecord,
  rawPattern,
  readStated,
  statedOf,
} from "./section-header.ts";
import type { Sections } from "./sections.ts";
import { describeDamage, surprise } from "./surprise.ts";

export type LogParser = {
  /** Takes the next bytes and returns what is complete now; throws when they are not what git prints. */
  push(chunk: Buffer): LogEntry[];
  /** Says that there are no more bytes; throws when something is unfinished. */
  end(): LogEntry[];
};

type RawRecord = Omit<Change, "section" | "sectionBytes" | "binary"> & HeaderRecord;

type ParserOptions = {
  readonly hashLength: number;
  readonly maxSectionBytes: number;
  /** Where sections are kept, for who frees them. */
  readonly sections?: Sections | undefined;
};

type State = {
  readonly hash: RegExp;
  readonly raw: RegExp;
  readonly maxSectionBytes: number;
  readonly keepSection: (bytes: Buffer) => Buffer;
  readonly out: LogEntry[];
  ended: boolean;
  step: Step;
  /** `bytes` up to `filled` is unread; `start` begins what is being read, `line` its current line. */
  bytes: Buffer;
  view: Buffer;
  start: number;
  line: number;
  /** Up to here there is no delimiter, so a search need not begin earlier. */
  searched: number;
  fields: Buffer[];
  /** The beginning of a field that is longer than what is kept of one. */
  cut: Buffer | null;
  commit: LogCommit;
  records: RawRecord[];
  record: number;
  sectionsLeft: number;
  discarded: number;
  binary: boolean;
  /** Facts of the record in this section's header. */
  stated: number;
  oldLeft: number;
  newLeft: number;
};

/** Makes one step of progress; false when it needs more bytes. */
type Step = (state: State) => boolean;

const NUL = 0;
const NEWLINE = 10;
// Those of the format and the empty one that ends the commit.
const FIELDS = 8;
// No message of a person is longer; one of hundreds of megabytes takes a few bytes in a repository.
const MOST_FIELD_BYTES = 1 << 20;
const LIKE_RECORD = "a patch header like its raw record";
// The next commit's id is hexadecimal, the next section is "diff": neither begins as a header line does, and these
// few bytes tell them apart before the rest of the line has arrived.
const LOOK = 4;
const HEADER_STARTS = HEADER_LINES.map((line) => line.slice(0, LOOK));

/** A parser for ids of `hashLength` digits; sections larger than `maxSectionBytes` are counted but not kept. */
export function createLogParser(options: ParserOptions): LogParser {
  const state = initialState(options);
  const drain = () => {
    while (state.step(state)) {}
    return state.out.splice(0);
  };
  return {
    push(chunk) {
      append(state, chunk);
      return drain();
    },
    end() {
      state.ended = true;
      const entries = drain();
      if (state.step !== readField || state.fields.length > 0 || state.start < state.view.length) {
        throw describeDamage("git log to end after a whole commit", "its end in the middle of one");
      }
      return entries;
    },
  };
}

function initialState(options: ParserOptions): State {
  return {
    hash: new RegExp(`^[0-9a-f]{${options.hashLength}}$`),
    raw: rawPattern(options.hashLength),
    maxSectionBytes: options.maxSectionBytes,
    keepSection: options.sections?.keep ?? Buffer.from,
    out: [],
    ended: false,
    step: readField,
    bytes: Buffer.allocUnsafeSlow(1 << 17),
    view: Buffer.alloc(0),
    start: 0,
    line: 0,
    searched: 0,
    fields: [],
    cut: null,
    commit: { hash: "", parents: [], author: "", mail: "", time: 0, message: null, long: false },
    records: [],
    record: 0,
    sectionsLeft: 0,
    discarded: 0,
    binary: false,
    stated: 0,
    oldLeft: 0,
    newLeft: 0,
  };
}

// Unread bytes move to the front only when the buffer is full, and it doubles when that is not enough, so each byte
// is copied a few times at most however long a line is.
function append(state: State, chunk: Buffer): void {
  const filled = state.view.length;
  if (filled + chunk.length <= state.bytes.length) {
    chunk.copy(state.bytes, filled);
    state.view = state.bytes.subarray(0, filled + chunk.length);
    return;
  }
  const { start } = state;
  const live = filled - start;
  let size = state.bytes.length;
  while (size < 2 * (live + chunk.length)) size *= 2;
  const target = size === state.bytes.length ? state.bytes : Buffer.allocUnsafeSlow(size);
  state.view.copy(target, 0, start);
  chunk.copy(target, live);
  state.bytes = target;
  state.view = target.subarray(0, live + chunk.length);
  state.start = 0;
  state.line -= start;
  state.searched -= start;
}

/** The bytes up to the next NUL, consumed, and of a long field its beginning; only valid until the next chunk. */
function takeField(state: State): Buffer | null {
  const { start, view } = state;
  const at = view.indexOf(NUL, state.searched);
  const last = Math.min(at < 0 ? view.length : at, start + MOST_FIELD_BYTES);
  if (at < 0) {
    state.searched = view.length;
    if (view.length - start < MOST_FIELD_BYTES) return null;
    state.cut ??= Buffer.from(view.subarray(start, last));
    state.start = view.length;
    state.line = view.length;
    return null;
  }
  moveTo(state, at + 1);
  const field = state.cut ?? view.subarray(start, last);
  state.cut = null;
  return field;
}

function moveTo(state: State, position: number): void {
  state.start = position;
  state.line = position;
  state.searched = position;
}

function readField(state: State): boolean {
  const field = takeField(state);
  if (field === null) return false;
  state.fields.push(Buffer.from(field));
  if (state.fields.length === 1 && !state.hash.test(field.toString("latin1"))) {
    throw surprise("a commit id", field);
  }
  if (state.fields.length === FIELDS) {
    state.commit = toCommit(state);
    state.fields = [];
    state.records = [];
    state.step = readAfterFields;
  }
  return true;
}

function toCommit({ fields, hash: id }: State): LogCommit {
  type Fields = [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
  const [hash, parents, author, mail, time, message, mark] = fields as Fields;
  if (mark.toString("latin1") !== "\x1e") throw surprise("the end of a commit's fields", mark);
  const above = parents.toString("latin1").split(" ").filter(Boolean);
  const long = fields.some(({ length }) => length >= MOST_FIELD_BYTES);
  if (!long && !above.every((parent) => id.test(parent))) throw surprise("the ids of parents", parents);
  // git prints nothing where a commit has no time that it understands.
  if (!/^\d{0,15}$/.test(time.toString("latin1"))) throw surprise("a time in seconds", time);
  return {
    hash: hash.toString("latin1"),
    parents: above,
    author: author.toString("utf8"),
    mail: mail.toString("utf8"),
    time: Number(time.toString("latin1")),
    message: !long && isUtf8(message) ? message.toString("utf8").replace(/\n+$/, "") : null,
    long,
  };
}

// Before raw records stands a newline; after a commit without changes the next commit, or nothing.
function readAfterFields(state: State): boolean {
  if (state.start >= state.view.length && !state.ended) return false;
  if (state.view[state.start] === NEWLINE) {
    moveTo(state, state.start + 1);
    state.step = readRaw;
  } else {
    finishRecords(state, readField);
  }
  return true;
}

// `:MODE MODE OID OID STATUS` NUL PATH NUL, two paths for R and C; one more NUL ends the records.
function readRaw(state: State): boolean {
  if (state.fields.length === 0 && state.view[state.start] === NUL && state.start < state.view.length) {
    moveTo(state, state.start + 1);
    finishRecords(state, beginSection);
    return true;
  }
  const field = takeField(state);
  if (field === null) return false;
  state.fields.push(Buffer.from(field));
  const [head] = state.fields as [Buffer, ...Buffer[]];
  const status = String.fromCharCode(head[head.lastIndexOf(0x20) + 1] ?? 0);
  if (state.fields.length === (status === "R" || status === "C" ? 3 : 2)) {
    state.records.push(toRecord(state, status));
    state.fields = [];
  }
  return true;
}

function toRecord(state: State, status: string): RawRecord {
  const [head, oldPath, newPath] = state.fields as [Buffer, Buffer, Buffer?];
  const [, oldMode, newMode, oldOid, newOid, statusAndScore] = state.raw.exec(head.toString("latin1")) ?? [];
  if (statusAndScore === undefined) throw surprise("a raw record", head);
  return {
    status,
    statusAndScore,
    oldMode: oldMode!,
    newMode: newMode!,
    oldOid: oldOid!,
    newOid: newOid!,
    oldPath,
    newPath: newPath ?? oldPath,
  };
}

function finishRecords(state: State, next: Step): void {
  state.out.push({ kind: "commit", commit: state.commit, changes: state.records.length });
  state.record = 0;
  if (state.records.length > 0) state.sectionsLeft = sectionsOf(state.records[0]!);
  state.step = next;
}

/** A change of type is printed as a deletion and a creation. */
function sectionsOf(record: RawRecord): number {
  return record.status === "T" ? 2 : 1;
}

function beginSection(state: State): boolean {
  const end = lineEnd(state);
  if (end < 0) return false;
  if (!startsWith(state, "diff --git "))
    throw surprise("a patch section", state.view.subarray(state.line, end));
  advance(state, end);
  state.step = readHeaderLine;
  return true;
}

function readHeaderLine(state: State): boolean {
  if (!canLook(state)) return false;
  if (startsWith(state, "@@ -")) {
    state.step = readHunkHeader;
    return true;
  }
  if (!HEADER_STARTS.some((start) => startsWith(state, start))) return finishSection(state);
  const end = lineEnd(state);
  if (end < 0) return false;
  if (!HEADER_LINES.some((prefix) => startsWith(state, prefix))) {
    throw surprise("a line of a patch header", state.view.subarray(state.line, end));
  }
  if (startsWith(state, BINARY_LINE)) state.binary = true;
  const stated = readStated(state.records[state.record]!, state.view.toString("latin1", state.line, end));
  if (stated === undefined) throw surprise(LIKE_RECORD, state.view.subarray(state.line, end));
  state.stated += stated;
  advance(state, end);
  return true;
}

function readHunkHeader(state: State): boolean {
  const end = lineEnd(state);
  if (end < 0) return false;
  const text = state.view.toString("latin1", state.line, Math.min(end, state.line + 80));
  const match = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(text);
  if (!match) throw surprise("a hunk header", state.view.subarray(state.line, end));
  state.oldLeft = Number(match[1] ?? 1);
  state.newLeft = Number(match[2] ?? 1);
  advance(state, end);
  state.step = readHunkLine;
  return true;
}

function readHunkLine(state: State): boolean {
  if (state.oldLeft === 0 && state.newLeft === 0) return readAfterHunk(state);
  const end = lineEnd(state);
  if (end < 0) return false;
  const sign = state.view[state.line];
  if (sign === 0x20 || sign === 0x2d) state.oldLeft--;
  if (sign === 0x20 || sign === 0x2b) state.newLeft--;
  const known = sign === 0x20 || sign === 0x2d || sign === 0x2b || sign === 0x5c;
  if (!known || state.oldLeft < 0 || state.newLeft < 0) {
    throw surprise("a line of a hunk", state.view.subarray(state.line, end));
  }
  advance(state, end);
  return true;
}

// "\ No newline at end of file" may follow the last counted line; then another hunk, or the section is over.
function readAfterHunk(state: State): boolean {
  if (state.line >= state.view.length && !state.ended) return false;
  const next = state.view[state.line];
  if (next === 0x40) {
    state.step = readHunkHeader;
    return true;
  }
  if (next !== 0x5c) return finishSection(state);
  const end = lineEnd(state);
  if (end >= 0) advance(state, end);
  return end >= 0;
}

function finishSection(state: State): boolean {
  state.sectionsLeft--;
  if (state.sectionsLeft > 0) {
    state.step = beginSection;
    return true;
  }
  const { commit, binary } = state;
  const record = state.records[state.record]!;
  if (state.stated !== statedOf(record))
    throw surprise(LIKE_RECORD, Buffer.from(`${state.stated} lines of it`));
  const length = state.line - state.start;
  const section =
    state.discarded > 0 ? null : state.keepSection(state.view.subarray(state.start, state.line));
  const change = { ...record, section, sectionBytes: state.discarded + length, binary };
  state.out.push({ kind: "change", commit, change });
  moveTo(state, state.line);
  state.discarded = 0;
  state.binary = false;
  state.stated = 0;
  state.record++;
  const following = state.records[state.record];
  if (following) state.sectionsLeft = sectionsOf(following);
  state.step = following ? beginSection : readField;
  return true;
}

/** Position of the newline that ends the current line, or -1 when it has not arrived. */
function lineEnd(state: State): number {
  const at = state.view.indexOf(NEWLINE, state.searched);
  if (at < 0) state.searched = state.view.length;
  return at;
}

function advance(state: State, newline: number): void {
  state.line = newline + 1;
  state.searched = newline + 1;
  if (state.line - state.start <= state.maxSectionBytes) return;
  state.discarded += state.line - state.start;
  state.start = state.line;
}

/** True when enough bytes are here to tell a header line from what follows a section. */
function canLook(state: State): boolean {
  return state.ended || state.view.length - state.line >= LOOK;
}

function startsWith(state: State, prefix: string): boolean {
  const { view, line } = state;
  if (view.length - line < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (view[line + i] !== prefix.charCodeAt(i)) return false;
  return true;
}
