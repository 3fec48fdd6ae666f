// English word stems as ROUGE counts them: Porter's algorithm (Program 14.3, 1980) with the departures of NLTK's
// stemmer, which rouge-score 0.1.2 uses. Knows lower-case ASCII words only; which words to stem is the caller's choice.

/** What stands before a suffix must satisfy this for the suffix to be replaced. */
type Condition = (stem: string, suffix: string) => boolean;
type Rules = readonly (readonly [suffix: string, replacement: string])[];

const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ["sky", "sky"],
  ["skies", "sky"],
  ["dying", "die"],
  ["lying", "lie"],
  ["tying", "tie"],
  ["news", "news"],
  ["inning", "inning"],
  ["innings", "inning"],
  ["outing", "outing"],
  ["outings", "outing"],
  ["canning", "canning"],
  ["cannings", "canning"],
  ["howe", "howe"],
  ["proceed", "proceed"],
  ["exceed", "exceed"],
  ["succeed", "succeed"],
]);

const PLURAL: Rules = [
  ["sses", "ss"],
  ["ies", "i"],
  ["ss", "ss"],
  ["s", ""],
];

const DOUBLE_SUFFIXES: Rules = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["bli", "ble"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
  ["fulli", "ful"],
  ["logi", "log"],
];

const LATE_SUFFIXES: Rules = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
];

const LAST_SUFFIXES: Rules = "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize"
  .split(" ")
  .map((suffix) => [suffix, ""] as const);

/** The stem of a lower-case word; words of one or two letters are their own. */
export function stem(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  return [
    stripPlural,
    stripPast,
    finalYToI,
    shortenDoubleSuffix,
    shortenLateSuffix,
    stripLastSuffix,
    stripFinalE,
    shortenFinalL,
  ].reduce((rest, step) => step(rest), word);
}

/** Step 1a; a word of four letters keeps its "ie" ("dies", "ties"). */
function stripPlural(word: string): string {
  if (word.length === 4 && word.endsWith("ies")) return word.slice(0, -1);
  return replaceSuffix(word, PLURAL, () => true);
}

/** Step 1b: "eed", "ed" and "ing", and the repair of what they leave. */
function stripPast(word: string): string {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith("eed")) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const length = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
  const rest = word.slice(0, word.length - length);
  return length > 0 && letterKinds(rest).includes("v") ? repair(rest) : word;
}

function repair(rest: string): string {
  if (/(?:at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (rest.at(-1) === rest.at(-2) && letterKinds(rest).endsWith("c"))
    return /[lsz]$/.test(rest) ? rest : rest.slice(0, -1);
  return measure(rest) === 1 && endsShort(rest) ? `${rest}e` : rest;
}

/** Step 1c, NLTK's: only after a consonant that is not the whole rest, so "enjoy" and "by" stay. */
function finalYToI(word: string): string {
  return replaceSuffix(word, [["y", "i"]], (rest) => rest.length > 1 && letterKinds(rest).endsWith("c"));
}

/** Step 2; NLTK's does "alli" first and goes on with what is left, and counts the "l" of "logi" with the stem. */
function shortenDoubleSuffix(word: string): string {
  if (word.endsWith("alli") && measure(word.slice(0, -4)) > 0) return shortenDoubleSuffix(word.slice(0, -2));
  return replaceSuffix(
    word,
    DOUBLE_SUFFIXES,
    (rest, suffix) => measure(suffix === "logi" ? `${rest}l` : rest) > 0,
  );
}

/** Step 3. */
function shortenLateSuffix(word: string): string {
  return replaceSuffix(word, LATE_SUFFIXES, (rest) => measure(rest) > 0);
}

/** Step 4. */
function stripLastSuffix(word: string): string {
  return replaceSuffix(
    word,
    LAST_SUFFIXES,
    (rest, suffix) => measure(rest) > 1 && (suffix !== "ion" || /[st]$/.test(rest)),
  );
}

/** Step 5a. */
function stripFinalE(word: string): string {
  return replaceSuffix(word, [["e", ""]], (rest) => {
    const m = measure(rest);
    return m > 1 || (m === 1 && !endsShort(rest));
  });
}

/** Step 5b. */
function shortenFinalL(word: string): string {
  return replaceSuffix(word, [["ll", "l"]], (rest) => measure(`${rest}l`) > 1);
}

/** The first rule whose suffix fits decides; when its condition fails no later rule is tried. */
function replaceSuffix(word: string, rules: Rules, condition: Condition): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (rule === undefined) return word;
  const rest = word.slice(0, word.length - rule[0].length);
  return condition(rest, rule[0]) ? rest + rule[1] : word;
}

/** "c" or "v" for each letter; a "y" is a vowel exactly when a consonant stands before it. */
function letterKinds(word: string): string {
  let kinds = "";
  for (const letter of word) {
    const vowel = letter === "y" ? kinds.endsWith("c") : "aeiou".includes(letter);
    kinds += vowel ? "v" : "c";
  }
  return kinds;
}

/** Porter's m: how often a consonant follows a vowel. */
function measure(word: string): number {
  return letterKinds(word).split("vc").length - 1;
}

/** Porter's *o, such as "hop" but not "how"; NLTK adds words of a vowel and a consonant. */
function endsShort(word: string): boolean {
  const kinds = letterKinds(word);
  return kinds === "vc" || (kinds.endsWith("cvc") && !/[wxy]$/.test(word));
}
