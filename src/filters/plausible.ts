// Tells a secret from what stands in its place: placeholders of documentation, words, names in code, test values.
// The measures are ours, chosen on five repositories so that hardly anything there is an alarm; a random token of
// twenty letters and digits passes them all but for a few in a thousand.

/** Words of which no real secret is made. */
const WORDS = new RegExp(
  [
    "exam[pl]+e|sample|dummy|placeholder|change[-_.]?(?:me|it)|replace|redacted|removed|hidden|masked|obfuscat",
    "your|insert|enter[-_]|todo|lorem|ipsum|secret|passw|passwd|p[a@][s$]{2}w|s3cr3t|credential|private|public",
    "test|mock|stub|fake|fixture|demo|foobar|foobaz|hello|world|hunter2|letmein|qwert|asdf|zxcv|swordfish",
    "correct.?horse|trustno|deadbeef|cafebabe|feedface|supers|mysec|my[-_]|some[-_]|(?:user|admin|root|guest)[-_]?",
    "process\\.env|environ|getenv|os\\.|import\\.meta|null|undefined|none$|true$|false$|function|return|require",
  ].join("|"),
  "i",
);

/** Counts, fillings, and places where a program puts the value in: in tokens of an issuer too. */
const FILLING =
  /0123456|1234567|123123|abcdefg|abcabc|abcd1234|a1b2c3|x{4}|y{4}|z{4}|X{4}|\*\*|\.\.\.|-{4}|_{4}|0{7}|1{7}|example|EXAMPLE|your[-_]|YOUR[-_]|[<>{}[\]]|\$[({]|^\$\w+$|\$[A-Z_]{3,}\b|%[({]|%[A-Z_]+%|#\{|@@|\\u[0-9a-f]{4}/;

/** Something that stands for a token whose form is certain. */
export function isFilling(value: string): boolean {
  return FILLING.test(value) || new Set(value).size < 6 || isCounting(value);
}

/** The same, or made of words: for values whose form says nothing. */
export function isPlaceholder(value: string): boolean {
  return WORDS.test(value) || isFilling(value);
}

/** More than half of the steps go to the next or the previous character. */
function isCounting(value: string): boolean {
  let steps = 0;
  for (let at = 1; at < value.length; at++) {
    if (Math.abs(value.charCodeAt(at) - value.charCodeAt(at - 1)) <= 1) steps++;
  }
  return 2 * steps > value.length;
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** A value that a generator made, not a person or a name in code: at least 16 characters, no identifier. */
export function isRandom(value: string): boolean {
  if (value.length < 16 || /[^\w+/=.~:-]/.test(value) || UUID.test(value) || isPlaceholder(value))
    return false;
  if (/^[\d.:T+-]+Z?$/.test(value) || entropy(value) < 3) return false;
  const { digits, lower, upper, turns } = measure(value);
  if (/^[0-9a-f]+$/i.test(value)) return value.length >= 24 && digits >= 4 && lower + upper >= 4;
  if (wordShare(value) > 0.5) return false;
  if (digits >= 2) return turns >= 0.25 && lower + upper >= 0.2 * value.length;
  return value.length >= 20 && turns >= 0.35 && lower >= 4 && upper >= 4;
}

/** A password of a person or a program, in a place where nothing but a password stands: at least 8 characters. */
export function isPassword(value: string): boolean {
  if (value.length < 8 || value.length > 128 || /\s/.test(value) || isPlaceholder(value)) return false;
  const { digits, lower, upper, turns } = measure(value);
  const kinds = [digits, lower, upper, value.length - digits - lower - upper].filter((count) => count > 0);
  if (kinds.length < 2 || wordShare(value) > 0.6) return false;
  return digits > 0 ? turns >= 0.2 : value.length >= 12 && turns >= 0.4;
}

/** Bits a character. */
function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/** Counts of kinds of characters, and the share of neighbours of different kinds. */
function measure(value: string) {
  const counts = [0, 0, 0, 0];
  let turns = 0;
  let last = -1;
  for (let at = 0; at < value.length; at++) {
    const kind = kindOf(value.charCodeAt(at));
    counts[kind]!++;
    if (last >= 0 && kind !== last) turns++;
    last = kind;
  }
  const [digits, lower, upper] = counts as [number, number, number, number];
  return { digits, lower, upper, turns: turns / Math.max(1, value.length - 1) };
}

function kindOf(code: number): number {
  if (code >= 48 && code <= 57) return 0;
  if (code >= 97 && code <= 122) return 1;
  return code >= 65 && code <= 90 ? 2 : 3;
}

/** The share of a value that reads like words: runs of five letters or so with a vowel in every three. */
function wordShare(value: string): number {
  let letters = 0;
  for (const [run] of value.matchAll(/[A-Z]?[a-z]{4,}|[A-Z]{5,}/g)) {
    if (!/[^aeiouy]{4}|[aeiou]{4}/i.test(run) && /[aeiouy]/i.test(run)) letters += run.length;
  }
  return letters / value.length;
}
