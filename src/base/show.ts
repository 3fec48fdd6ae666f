// A value that came from outside as a few words in a message: much like JSON, cut, and never failing on what is deep,
// circular or large.

const LONGEST = 80;
const LONGEST_REASON = 300;
const MOST_ITEMS = 8;

/** At most 80 characters; what lies deeper than one level is an ellipsis. */
export function showValue(value: unknown): string {
  return clip(show(value, 1));
}

/** A text from outside, unquoted: at most 80 characters unless told, none of which moves a terminal's cursor. */
export function showText(text: string, longest = LONGEST): string {
  return clip(text, longest).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`;
  });
}

/** What a library said of something from outside, to stand at the end of a sentence. */
export function showReason(error: unknown): string {
  return showText(error instanceof Error ? error.message : String(error), LONGEST_REASON);
}

function show(value: unknown, depth: number): string {
  if (typeof value === "string") return `"${showText(value)}"`;
  if (typeof value !== "object" || value === null) return String(value);
  if (depth === 0) return "…";
  if (Array.isArray(value)) return `[${some(value, (item) => show(item, depth - 1))}]`;
  const keys = Object.keys(value);
  return `{${some(keys, (key) => `"${showText(key)}":${show((value as Record<string, unknown>)[key], depth - 1)}`)}}`;
}

function some<T>(items: readonly T[], print: (item: T) => string): string {
  const shown = items.slice(0, MOST_ITEMS).map(print);
  return [...shown, ...(items.length > MOST_ITEMS ? ["…"] : [])].join(",");
}

function clip(text: string, longest = LONGEST): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
