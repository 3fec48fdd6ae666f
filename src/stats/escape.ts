// Text from a repository inside a page: nothing in it is markup, moves other text about, or hides.

const MARKUP: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Control characters but tab and newline, and format characters: those that turn the direction of text, and those
// without a width (Unicode, general categories Cc and Cf; "Trojan Source", 2021).
const HIDDEN = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu;

/** Text for the content of an element or for an attribute in quotes. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => MARKUP[character]!)
    .replace(HIDDEN, (character) => `<i>U+${hex(character)}</i>`);
}

function hex(character: string): string {
  return character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}
