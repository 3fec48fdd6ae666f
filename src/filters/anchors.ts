// Finds many short literals in a text in one pass (Aho and Corasick, "Efficient string matching", 1975): a table that
// takes a state and a character to the next state. Letters are taken in either case. About a nanosecond a character,
// which is what makes it possible to look at every changed line of a history.

/** Literals in lower case, none with a line break; what is found is told by its number in the list. */
export type Anchors = {
  /** Calls `found` at the last character of each place; stops when it returns true, and returns whether it did. Lines that
   * begin with one of the two characters of `passed` may be passed over: of an ASCII text they are. */
  find(text: string, found: Found, passed?: string): boolean;
};

type Found = (literals: readonly number[], at: number) => boolean;

const NEWLINE = 10;
// The longest UTF-8 form of a UTF-16 code unit.
const BYTES_PER_UNIT = 3;

/** The columns of the table: one for each character that occurs in a literal, 0 for all others. */
const COLUMNS = 64;
const BYTES = 256;

export function createAnchors(literals: readonly string[]): Anchors {
  const columns = columnsOf(literals);
  const { next, outputs } = link(plant(literals, columns));
  const { table, ends } = sortStates(next, outputs);
  const firstEnd = next.length - ends.length;
  let bytes = Buffer.allocUnsafe(1 << 16);
  /** Looks at bytes up to a newline or the end, and returns where that is; -1 where it was told to stop. */
  const findInLine = (start: number, length: number, found: Found): number => {
    let at = start;
    for (let state = 0; at < length && bytes[at] !== NEWLINE; at++) {
      state = table[state * COLUMNS + columns[bytes[at]!]!]!;
      if (state >= firstEnd && found(ends[state - firstEnd]!, at)) return -1;
    }
    return at;
  };
  return {
    find: (text, found, passed = "") => {
      if (BYTES_PER_UNIT * text.length > bytes.length)
        bytes = Buffer.allocUnsafe(2 * BYTES_PER_UNIT * text.length);
      let length = bytes.write(text, 0, "utf8");
      const isAscii = length === text.length;
      // One byte a UTF-16 unit, so that places agree. What is not Latin-1 may look like a literal, never hide one: it
      // may look like a newline as well, so that nothing is passed over then.
      if (!isAscii) length = bytes.write(text, 0, "latin1");
      const [first, second] = isAscii ? [passed.charCodeAt(0), passed.charCodeAt(1)] : [];
      for (let at = 0; at < length; at++) {
        if (bytes[at] !== first && bytes[at] !== second) at = findInLine(at, length, found);
        else while (at < length && bytes[at] !== NEWLINE) at++;
        if (at < 0) return true;
      }
      return false;
    },
  };
}

function columnsOf(literals: readonly string[]): Uint8Array {
  const columns = new Uint8Array(BYTES);
  const characters = [...new Set(literals.join(""))].sort();
  if (characters.length >= COLUMNS) throw new Error(`Expected fewer than ${COLUMNS} characters in literals`);
  for (const [at, character] of characters.entries()) {
    columns[character.charCodeAt(0)] = at + 1;
    columns[character.toUpperCase().charCodeAt(0)] = at + 1;
  }
  return columns;
}

type Trie = { readonly next: Int32Array[]; readonly outputs: number[][] };

function plant(literals: readonly string[], columns: Uint8Array): Trie {
  const next = [new Int32Array(COLUMNS)];
  const outputs: number[][] = [[]];
  for (const [number, literal] of literals.entries()) {
    let state = 0;
    for (let at = 0; at < literal.length; at++) {
      const column = columns[literal.charCodeAt(at)]!;
      if (next[state]![column] === 0) {
        next[state]![column] = next.push(new Int32Array(COLUMNS)) - 1;
        outputs.push([]);
      }
      state = next[state]![column]!;
    }
    outputs[state]!.push(number);
  }
  return { next, outputs };
}

/** Fills the missing steps with those of the longest ending that is also a beginning. */
function link({ next, outputs }: Trie): Trie {
  const back = new Int32Array(next.length);
  const queue = [0];
  for (let head = 0; head < queue.length; head++) {
    const state = queue[head]!;
    for (let column = 1; column < COLUMNS; column++) {
      const child = next[state]![column]!;
      const other = state === 0 ? 0 : next[back[state]!]![column]!;
      if (child === 0) {
        next[state]![column] = other;
        continue;
      }
      back[child] = other;
      outputs[child]!.push(...outputs[other]!);
      queue.push(child);
    }
  }
  return { next, outputs };
}

/** Puts the states that end a literal last, so that one comparison tells them. */
function sortStates(next: readonly Int32Array[], outputs: readonly number[][]) {
  const order = [...next.keys()].sort(
    (a, b) => Number(outputs[a]!.length > 0) - Number(outputs[b]!.length > 0) || a - b,
  );
  const place = new Int32Array(next.length);
  for (const [at, state] of order.entries()) place[state] = at;
  const table = new Uint16Array(next.length * COLUMNS);
  for (const [at, state] of order.entries()) {
    for (let column = 0; column < COLUMNS; column++) {
      table[at * COLUMNS + column] = place[next[state]![column]!]!;
    }
  }
  return { table, ends: order.map((state) => outputs[state]!).filter((output) => output.length > 0) };
}
