// Tells a secret from what stands in its place: placeholders of documentation, words, names in code, test values.
// The measures are ours, chosen on five repositories so that hardly anything there is an alarm; a random token of
// twenty letters and digits passes them all but for a few in a thousand.

import { strangeness } from "./letters.ts";

/** Words of which no real secret is made. */
const WORDS = new RegExp(
  [
    "exam[pl]+e|abcd|1234|sample|dummy|placeholder|change[-_.]?(?:me|it)|replace|redacted|removed|hidden|masked|obfuscat",
    "your|insert|enter[-_]|todo|lorem|ipsum|secret|pass|word|p[a@][s$]{2}w|s3cr3t|credential|private|public",
    "test|mock|stub|fake|fixture|demo|foobar|foobaz|hello|world|hunter2|letmein|qwert|asdf|zxcv|swordfish",
    "correct.?horse|xipj3plmq|trustno|deadbeef|cafebabe|feedface|supers|mysec|my[-_]|some[-_]|(?:user|admin|root|guest)[-_]?",
    "process\\.env|environ|getenv|os\\.|import\\.meta|null|undefined|none$|true$|false$|function|return|require",
  ].join("|"),
  "i",
);

/** Counts, fillings, and places where a program puts the value in: in tokens of an issuer too. */
const FILLING = new RegExp(
  [
    "0123456|1234567|123123|abcdefg|abcabc|abcd1234|a1b2c3|x{4}|y{4}|z{4}|X{4}|\\*{3}|^\\*\\*|\\*\\*$|\\.\\.\\.|-{4}|_{4}|0{7}|1{7}",
    "example|EXAMPLE|your[-_]|YOUR[-_]|<[^>]*>|\\{[^}]*\\}|\\[[^\\]]*\\]|^[<{[]|[>}\\]]$",
    "\\$\\{|\\$\\(\\w|^\\$\\w+$|\\$[A-Z_]{5,}\\b|%\\(\\w+\\)|%\\{|%[A-Z_]+%|#\\{|^@@|@[A-Z_]+@|\\\\u[0-9a-f]{4}",
  ].join("|"),
);

/** Something that stands for a token whose form is certain. */
export function isFilling(value: string): boolean {
  return FILLING.test(value) || new Set(value).size < 6 || isCounting(value);
}

/** The same, or made of words: for values whose form says nothing. */
export function isPlaceholder(value: string): boolean {
  return isFilling(value) || (hasWord(value) && strangeness(value) < WORDLESS);
}

/** From here on a word of four letters in a value is there by chance. */
const WORDLESS = 20;

function hasWord(value: string): boolean {
  return WORDS.test(value) || WORDS.test(withLetters(value));
}

const LETTERS: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
};

/** Digits that stand for the letters they look like: "5up3r53cr37". */
function withLetters(value: string): string {
  return value.replace(/[013457]/g, (digit) => LETTERS[digit]!);
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
/** Those of Wikipedia and of the standard's texts. */
const KNOWN_UUID = /^(?:550e8400-e29b-41d4|123e4567-e89b-12d3|f81d4fae-7dec-11d0)/i;

/** A UUID that someone was given, where a key is expected. */
export function isIssuedUuid(value: string): boolean {
  return UUID.test(value) && !KNOWN_UUID.test(value) && !isFilling(value) && new Set(value).size >= 9;
}

/** A value that a generator made, not a person or a name in code: at least 16 characters, no identifier. */
export function isRandom(value: string): boolean {
  if (value.length < 16 || /[^\w+/=.~:-]/.test(value) || UUID.test(value) || isPlaceholder(value))
    return false;
  return !isTime(value) && isGenerated(value);
}

/** The same for a value with any signs in it, which code has as well, so that it must be long. */
export function isRandomWithSigns(value: string): boolean {
  if (value.length < 24 || /[^!-~]/.test(value)) return false;
  if (strangeness(value) < SIGNS_LEAST || !isGenerated(value)) return false;
  return value.length >= 48 ? !isCounting(value) : !isPlaceholder(value) && !CODE.test(value);
}

const CODE = /[()]{2}|=>|&&|\|\||;/;

function isTime(value: string): boolean {
  return /^[\d.:T+-]+Z?$/.test(value);
}

/** Bits of strangeness that a random value of 16 letters and digits has but for one in a hundred. */
const LEAST = 2;
/** Digits, letters of both cases and signs together are a rule for passwords, seldom a name. */
const FOUR_LEAST = -4;
/** Of code with signs some have as many as a short password. */
const SIGNS_LEAST = 12;

function isGenerated(value: string): boolean {
  if (entropy(value) < 2.8) return false;
  if (!/^[0-9a-f]+$/i.test(value)) return strangeness(value) >= LEAST;
  const { digits, letters } = measure(value);
  return value.length >= 20 && digits >= 4 && letters >= 3;
}

/** A password of a person or a program, in a place where nothing but a password stands: at least 8 characters. */
export function isPassword(value: string): boolean {
  if (value.length < 8 || value.length > 128 || /\s/.test(value) || isPlaceholder(value)) return false;
  const { kinds, digits } = measure(value);
  if (kinds < 2 || isTime(value)) return false;
  const least = kinds === 4 ? FOUR_LEAST : digits > 0 ? 0 : LEAST;
  return strangeness(value) >= least;
}

/** Names of algorithms and sizes, which have a number behind them as well. */
const MEASURED =
  /(?:sha|md|aes|utf|rsa|hmac|gcm|cbc|curve|ed|keccak|blake|pbkdf|crypt|base|int|float|bit|byte|size|length|code|status|version|error|line|column|row|page|port|year|issue|node|type|key|hash|field|form|input|label|option|http)s?[@#!$%&*]?\d+\W?$/i;
/** Words with a number behind them, and a sign before or after it, or two words with a number of three digits. */
const CHOSEN =
  /^(?:[A-Z]?[a-z]{3,14}){1,3}(?:[@#!$%&*+]\d{2,5}|\d{2,5}[@#!$%&*+?]{1,3})$|^(?:[A-Z][a-z]{2,11}){2,3}\d{3,4}$/;
/** "P@ss", "Pa55" and their like, which begin what many people think up. */
const PASS = /^p[a@4][s5$]{2}(?=[A-Z])/i;

/** A password as people make them, where an example would be another: at least 9 characters. */
export function isChosenPassword(value: string): boolean {
  if (value.length < 9 || value.length > 32) return false;
  const rest = value.replace(PASS, "");
  return CHOSEN.test(rest) && !MEASURED.test(rest) && !isPlaceholder(rest);
}

/** Bits a character. */
function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/** How many digits, letters, and kinds of characters: digits, small letters, capitals, and others. */
function measure(value: string) {
  const counts = [/\d/g, /[a-z]/g, /[A-Z]/g, /[^\dA-Za-z]/g].map((kind) => value.match(kind)?.length ?? 0);
  const [digits, lower, upper] = counts as [number, number, number, number];
  return { digits, letters: lower + upper, kinds: counts.filter((count) => count > 0).length };
}
