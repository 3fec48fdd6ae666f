// A set of git's object ids in little memory: 16 bytes of each, in one array that doubles when it is three quarters
// full. Ids are hashes, so their own bytes say where they stand.

export type IdSet = {
  /** `id` is hex, at least 32 digits. */
  has(id: string): boolean;
  add(id: string): void;
};

const WORDS = 4;

export function createIdSet(): IdSet {
  let capacity = 1024;
  let words = new Uint32Array(capacity * WORDS);
  let count = 0;
  const key = new Uint32Array(WORDS);
  const place = () => findPlace(words, key, capacity);
  const grow = () => {
    const old = words;
    capacity *= 2;
    words = new Uint32Array(capacity * WORDS);
    for (let at = 0; at < old.length; at += WORDS) {
      if (isFree(old, at)) continue;
      key.set(old.subarray(at, at + WORDS));
      words.set(key, place());
    }
  };
  return {
    has: (id) => {
      readId(id, key);
      return !isFree(words, place());
    },
    add: (id) => {
      readId(id, key);
      const at = place();
      if (!isFree(words, at)) return;
      words.set(key, at);
      count++;
      if (4 * count > 3 * capacity) grow();
    },
  };
}

function readId(id: string, key: Uint32Array): void {
  for (let word = 0; word < WORDS; word++) key[word] = Number.parseInt(id.slice(8 * word, 8 * word + 8), 16);
  // All zeros mean a free place, and git's id of nothing.
  if (isFree(key, 0)) key[0] = 1;
}

function isFree(words: Uint32Array, at: number): boolean {
  return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
}

/** Where the key stands, or the free place where it belongs. */
function findPlace(words: Uint32Array, key: Uint32Array, capacity: number): number {
  for (let slot = key[1]! & (capacity - 1); ; slot = (slot + 1) & (capacity - 1)) {
    const at = slot * WORDS;
    if (isFree(words, at)) return at;
    if (
      words[at] === key[0] &&
      words[at + 1] === key[1] &&
      words[at + 2] === key[2] &&
      words[at + 3] === key[3]
    ) {
      return at;
    }
  }
}
