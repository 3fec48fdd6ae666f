// How little a value reads like words and names in code. Knows nothing of secrets. The table is our own count over the
// distinct words of the sources, manuals and messages of curl, eslint, express, hono, ky and adapters.

/** Row: a letter; column: the one behind it; bits that this takes, in halves, written in base 36. */
const PAIRS = [
  "b988ccagagc797hag686bceecg",
  "69996aeg8cf6dd8dd99d6fhhbf",
  "7bab7bg7ah79cf5dhac78efgeh",
  "7aa849fe6ffaec8cf98dadfgch",
  "8b86aacfdgg9a6ebd568fcdadh",
  "79a977eg5ih9ee6dg9b99gggbh",
  "8dcc4ca87hf9c88bh77b9eehee",
  "5edc4fgf7gdccd6cf9a7aefhch",
  "aa89aaahfhf8947aha87gbhdhb",
  "5ecc6gcdaecfcc6dde4d6dbfgg",
  "8deb3acc6gfbeaacfb6aafdhch",
  "7ec95cef5he7cd6bhf9aadfh8h",
  "5aeb4egf6gebaf86fe9cafhhdh",
  "8d877a6f8gccea9dhe76bcfheh",
  "cb89ecbecfc985a8i6898badgh",
  "6fcc6deb8id8fd79h597affgch",
  "bcca9eecbgdadceecd9a2edddg",
  "7dab4dbg7hd9ab7dha88abfibi",
  "af9d5de97hd9dd89gd759edfcf",
  "7ebd5bh85hgace89h789bfeeag",
  "a9ac99ag9gg885d9i676gdhfhf",
  "6cae2ace6gfded9dfdbdeaggfg",
  "6db96ce86geag87ci67ddedfgh",
  "8d8b7agd7dgbbcd5fec5fef97f",
  "9cab8abc9ee8a7a5fb78cdbe9c",
  "7gfd2dbc8geabd9ddgbbbgcbda",
].map((row) => Array.from(row, (digit) => Number.parseInt(digit, 36) / 2));

/** Bits that a letter takes where all are alike: log2 26. */
const EVEN = 4.7;
/** Bits in favour of chance for a change of kind within a name, and for a sign that names do not have. */
const TURN = 1.5;

const SIGN = -2;
const DASH = -1;
const DIGIT = 26;
const LOWER = 27;
const UPPER = LOWER + 26;

/**
 * Bits by which chance explains a value better than words do: pairs of letters after the table, and 1.5 for each
 * change between letters and digits or of case within a word, and for each sign. Of random values of 16 letters and
 * digits 98 in 100 have more than 5; words have less than 0.
 */
export function strangeness(value: string): number {
  let [bits, before, last] = [0, DASH, DASH];
  for (let at = 0; at < value.length; at++) {
    const code = codeOf(value.charCodeAt(at));
    bits += stepBits(before, last, code);
    before = last;
    last = code;
  }
  return bits;
}

function stepBits(before: number, last: number, code: number): number {
  if (code === SIGN) return TURN;
  if (code < 0 || last < 0) return 0;
  if (code === DIGIT || last === DIGIT) return code === last ? 0 : TURN;
  const pair = PAIRS[(last - LOWER) % 26]![(code - LOWER) % 26]! - EVEN;
  // "camelCase" and "XMLHttp" turn once; a capital before small letters does not, where a word begins with it.
  const isTurn = last < UPPER ? code >= UPPER : code < UPPER && before >= UPPER;
  return isTurn ? pair + TURN : pair;
}

function codeOf(code: number): number {
  if (code >= 48 && code <= 57) return DIGIT;
  if (code >= 97 && code <= 122) return LOWER + code - 97;
  if (code >= 65 && code <= 90) return UPPER + code - 65;
  return "!@#$%^&*?".includes(String.fromCharCode(code)) ? SIGN : DASH;
}
