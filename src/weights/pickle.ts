// Reads a pickle as data only: no import, no call, nothing is executed. What a machine with arrays in it needs is
// understood; every other operation is refused by name and place. Format: cpython:Lib/pickletools.py.

import { failure, type Result, success } from "../base/result.ts";

/** A name that the pickle would import. */
export type PickledName = { readonly kind: "name"; readonly name: string };
/** What would be the result of a call; it was not made. */
export type PickledCall = { readonly kind: "call"; readonly name: string; readonly args: readonly Pickled[] };
/** What the file keeps outside of the pickle, by its id. */
export type PickledReference = { readonly kind: "reference"; readonly id: Pickled };

export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[]
  | ReadonlyMap<Pickled, Pickled>
  | PickledName
  | PickledCall
  | PickledReference;

type Machine = {
  readonly bytes: Buffer;
  at: number;
  readonly allowed: ReadonlySet<string>;
  readonly stack: Pickled[];
  readonly marks: number[];
  readonly memo: Map<number, Pickled>;
};

class Refused extends Error {}

/** The value of a pickle in which only the `allowed` names ("module name") occur; a `reason` says what was found. */
export function parsePickle(bytes: Buffer, allowed: ReadonlySet<string>): Result<Pickled> {
  const machine: Machine = { bytes, at: 0, allowed, stack: [], marks: [], memo: new Map() };
  try {
    for (;;) {
      const code = take(machine, 1)[0]!;
      if (code === STOP) break;
      const operation = operations[code];
      if (!operation) {
        const shown = `0x${code.toString(16).padStart(2, "0")}`;
        throw new Refused(`the operation ${NAMES.get(code) ?? shown} at byte ${machine.at - 1}`);
      }
      operation(machine);
    }
    if (machine.stack.length !== 1) throw new Refused(`${machine.stack.length} values at its end`);
    return success(machine.stack[0]!);
  } catch (error) {
    if (error instanceof Refused) return failure(error.message);
    throw error;
  }
}

const STOP = 0x2e;
const ORDERED = "collections OrderedDict";

/** Operations that a person may look for; they import or call what is not plain data. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x69, "INST"],
  [0x6f, "OBJ"],
  [0x81, "NEWOBJ"],
  [0x92, "NEWOBJ_EX"],
  [0x93, "STACK_GLOBAL"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x50, "PERSID"],
]);

function take(machine: Machine, count: number): Buffer {
  const end = machine.at + count;
  if (end > machine.bytes.length) throw new Refused(`an end after ${machine.bytes.length} bytes`);
  const part = machine.bytes.subarray(machine.at, end);
  machine.at = end;
  return part;
}

function pop({ stack, marks }: Machine): Pickled {
  if (stack.length === 0 || stack.length === marks.at(-1)) throw new Refused("too few values");
  return stack.pop()!;
}

function popMark({ stack, marks }: Machine): Pickled[] {
  const mark = marks.pop();
  if (mark === undefined) throw new Refused("no mark where one is needed");
  return stack.splice(mark);
}

function tupleOf(count: number) {
  return (machine: Machine) => {
    const items = Array.from({ length: count }, () => pop(machine)).reverse();
    machine.stack.push(items);
  };
}

function push(read: (machine: Machine) => Pickled) {
  return (machine: Machine) => void machine.stack.push(read(machine));
}

function line(machine: Machine): string {
  const end = machine.bytes.indexOf(0x0a, machine.at);
  if (end < 0) throw new Refused("a line without an end");
  return take(machine, end - machine.at + 1)
    .subarray(0, -1)
    .toString("utf8");
}

function pushName(machine: Machine): void {
  const name = `${line(machine)} ${line(machine)}`;
  if (!machine.allowed.has(name)) throw new Refused(`the name ${name.replace(" ", ".").slice(0, 80)}`);
  machine.stack.push({ kind: "name", name });
}

/** A call as data; only an ordered dictionary becomes what it would be. */
function pushCall(machine: Machine): void {
  const args = pop(machine);
  const callee = pop(machine);
  if (!isKind(callee, "name") || !Array.isArray(args))
    throw new Refused("a call of something that is no name");
  if (callee.name === ORDERED && args.length === 0) machine.stack.push(new Map());
  else machine.stack.push({ kind: "call", name: callee.name, args });
}

/** The attributes of an ordered dictionary (torch keeps version numbers there) are no part of the data. */
function dropState(machine: Machine): void {
  pop(machine);
  if (!(machine.stack.at(-1) instanceof Map)) throw new Refused("a state of something that is no dictionary");
}

function append(machine: Machine, items: readonly Pickled[]): void {
  const list = machine.stack.at(-1);
  if (!Array.isArray(list)) throw new Refused("items without a list");
  for (const item of items) list.push(item);
}

function setItems(machine: Machine, items: readonly Pickled[]): void {
  const map = machine.stack.at(-1);
  if (!(map instanceof Map) || items.length % 2 !== 0) throw new Refused("pairs without a dictionary");
  for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
}

function remember(machine: Machine, key: number): void {
  const top = machine.stack.at(-1);
  if (top === undefined) throw new Refused("nothing to remember");
  machine.memo.set(key, top);
}

function recall({ memo }: Machine, key: number): Pickled {
  const found = memo.get(key);
  if (found === undefined) throw new Refused(`the value ${key} before it was given`);
  return found;
}

function text(length: (machine: Machine) => number) {
  return push((machine) => take(machine, length(machine)).toString("utf8"));
}

/** A whole number of up to eight bytes, little-endian with a sign. */
function longOf(bytes: Buffer): number {
  if (bytes.length === 0) return 0;
  if (bytes.length > 8) throw new Refused(`a number of ${bytes.length} bytes`);
  return Number(BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`)));
}

const u8 = (machine: Machine) => take(machine, 1)[0]!;
const u16 = (machine: Machine) => take(machine, 2).readUInt16LE();
const u32 = (machine: Machine) => take(machine, 4).readUInt32LE();

/** By code, protocols 2 to 5; a plain object would find methods of its prototype. */
const operations: readonly (((machine: Machine) => void) | undefined)[] = table({
  // PROTO, FRAME
  128: (machine) => void u8(machine),
  149: (machine) => void take(machine, 8),
  // NONE, NEWTRUE, NEWFALSE
  78: push(() => null),
  136: push(() => true),
  137: push(() => false),
  // BININT, BININT1, BININT2, LONG1, BINFLOAT
  74: push((machine) => take(machine, 4).readInt32LE()),
  75: push(u8),
  77: push(u16),
  138: push((machine) => longOf(take(machine, u8(machine)))),
  71: push((machine) => take(machine, 8).readDoubleBE()),
  // BINUNICODE, SHORT_BINUNICODE
  88: text(u32),
  140: text(u8),
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE, EMPTY_LIST, EMPTY_DICT, MARK
  41: tupleOf(0),
  133: tupleOf(1),
  134: tupleOf(2),
  135: tupleOf(3),
  116: push(popMark),
  93: push(() => []),
  125: push(() => new Map()),
  40: ({ stack, marks }) => void marks.push(stack.length),
  // APPEND, APPENDS, SETITEM, SETITEMS
  97: (machine) => append(machine, [pop(machine)]),
  101: (machine) => append(machine, popMark(machine)),
  115: (machine) => setItems(machine, [pop(machine), pop(machine)].reverse()),
  117: (machine) => setItems(machine, popMark(machine)),
  // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
  113: (machine) => remember(machine, u8(machine)),
  114: (machine) => remember(machine, u32(machine)),
  148: (machine) => remember(machine, machine.memo.size),
  104: push((machine) => recall(machine, u8(machine))),
  106: push((machine) => recall(machine, u32(machine))),
  // GLOBAL, REDUCE, BUILD, BINPERSID: kept as data
  99: pushName,
  82: pushCall,
  98: dropState,
  81: push((machine) => ({ kind: "reference", id: pop(machine) })),
});

function table(entries: Readonly<Record<number, (machine: Machine) => void>>) {
  const codes: (((machine: Machine) => void) | undefined)[] = Array.from({ length: 256 });
  for (const [code, operation] of Object.entries(entries)) codes[Number(code)] = operation;
  return codes;
}

/** Whether a value is the name, call or reference asked for. */
export function isKind<K extends "name" | "call" | "reference">(
  value: Pickled | undefined,
  kind: K,
): value is Extract<Pickled, { readonly kind: K }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}
