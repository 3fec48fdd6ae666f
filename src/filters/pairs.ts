// A name on one line and its value on one of the next two, as settings and formatters break them: `- name: X` and
// `value: …`, `<key>…</key>` and `<string>…</string>`, `X =` and `"…"`, `x: >-`. Makes one line of both; knows no names.

/** How a line ends whose value is on another line. */
const OPEN =
  /(?:[:=(\\]|\|\||\?\?|:\s?[>|][+-]?|<[\w.:-]{1,40}>|<\/\w{1,16}>|\bvariable\s"[\w-]{1,64}"\s\{|\b(?:name|key)["']?\s?[:=]\s?["']?[\w.-]{1,64}["']?,?)\s{0,8}$/i;
/** What of the end says only that more follows. */
const MORE = /(?:(?<=:\s?)[>|][+-]?|\(|\\)?\s{0,8}$/;
const WIDEST = 400;

/** True when a value may stand on a line after this one. */
export function isOpen(line: string): boolean {
  return line.length <= WIDEST && OPEN.test(line);
}

/** The line that is open and the next ones, up to two, each as if it stood behind it. */
export function continued(line: string, next: readonly string[]): string[] {
  const head = line.trimEnd().replace(MORE, "").trimEnd();
  const gap = head.endsWith(">") ? "" : " ";
  return next.filter((value) => value.length <= WIDEST).map((value) => head + gap + value.trim());
}

/** The next two lines of a text, or of the new side of a diff (`prefix` 1) as far as its hunk goes; a change within three
 * lines has all three in its hunk, so that a diff shows each pair that it makes. */
export function linesAfter(text: string, end: number, prefix: number): string[] {
  const lines: string[] = [];
  for (let at = end + 1; lines.length < 2 && at < text.length; ) {
    const stop = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    const sign = prefix === 0 ? " " : text[at]!;
    if (!" +-\\".includes(sign)) break;
    if (sign === " " || sign === "+") lines.push(text.slice(at + prefix, stop));
    at = stop + 1;
  }
  return lines;
}
