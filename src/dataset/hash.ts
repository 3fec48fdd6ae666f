// Numbers for texts, and tables of such numbers in little memory. Not for secrets or signatures: only to find equal
// texts among hundreds of thousands. Two lanes of 32 bits, multiplied and mixed as in MurmurHash3 (Appleby).

/** 64 bits in two lanes. */
export type Key = readonly [number, number];

/** The key of a text. */
export function keyOf(text: string): Key {
  return keyOfBytes(Buffer.from(text));
}

/** The key of the bytes from `start` to before `end`. */
export function keyOfBytes(bytes: Uint8Array, start = 0, end = bytes.length): Key {
  let a = 0x9747b28c;
  let b = 0x2f0b4c47;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    a = Math.imul(a ^ byte, 0x85ebca6b);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b ^ byte, 0xc2b2ae35);
    b = (b << 17) | (b >>> 15);
  }
  return [mix(a), mix(b)];
}

/** The key of two keys in this order. */
export function joinKeys(first: Key, second: Key): Key {
  return [
    mix(Math.imul(first[0], 0x85ebca6b) ^ mix(second[0] + 0x9e3779b9)),
    mix(Math.imul(first[1], 0xc2b2ae35) ^ mix(second[1] + 0x7f4a7c15)),
  ];
}

/** MurmurHash3's last step: every bit of the input changes every bit of the output. */
export function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Keys with a small number each: 9 bytes a place, at most three quarters of the places taken. */
export type KeyTable = {
  /** The number of a key, `undefined` when it is not there. */
  get(key: Key): number | undefined;
  /** Keeps the number of a key that is there already; 0 to 254. */
  put(key: Key, number: number): void;
};

export function createKeyTable(): KeyTable {
  let capacity = 1 << 10;
  let lanes = new Uint32Array(2 * capacity);
  let numbers = new Uint8Array(capacity);
  let count = 0;
  // A place is free while its number is 0: numbers are stored one higher.
  const placeOf = ([high, low]: Key) => {
    let place = low & (capacity - 1);
    while (numbers[place] !== 0 && (lanes[2 * place] !== high || lanes[2 * place + 1] !== low)) {
      place = (place + 1) & (capacity - 1);
    }
    return place;
  };
  const grow = () => {
    const [oldLanes, oldNumbers] = [lanes, numbers];
    capacity *= 2;
    lanes = new Uint32Array(2 * capacity);
    numbers = new Uint8Array(capacity);
    for (let old = 0; old < oldNumbers.length; old++) {
      if (oldNumbers[old] === 0) continue;
      const key: Key = [oldLanes[2 * old]!, oldLanes[2 * old + 1]!];
      const place = placeOf(key);
      lanes[2 * place] = key[0];
      lanes[2 * place + 1] = key[1];
      numbers[place] = oldNumbers[old]!;
    }
  };
  return {
    get: (key) => {
      const number = numbers[placeOf(key)]!;
      return number === 0 ? undefined : number - 1;
    },
    put: (key, number) => {
      const place = placeOf(key);
      if (numbers[place] !== 0) return;
      lanes[2 * place] = key[0];
      lanes[2 * place + 1] = key[1];
      numbers[place] = number + 1;
      if (4 * ++count > 3 * capacity) grow();
    },
  };
}
