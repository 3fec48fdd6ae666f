// What `.gitattributes` says for GitHub's linguist: `linguist-generated` and `linguist-vendored`, set or unset
// (gitattributes(5); github-linguist/linguist, docs/overrides.md). The last line that fits decides. Only the file at
// the top is read, and no macros.

import { fitsPath, type Pattern, parsePattern } from "./patterns.ts";

export type Attribute = "generated" | "vendored";

type Line = { readonly pattern: Pattern; readonly attribute: Attribute; readonly isSet: boolean };

/** Says whether an attribute is set or unset for a path; `undefined` when no line has a word on it. */
export function readAttributes(text: string): (path: string, attribute: Attribute) => boolean | undefined {
  const lines = text.split("\n").flatMap(readLine).reverse();
  return (path, attribute) =>
    lines.find((line) => line.attribute === attribute && fitsPath(line.pattern, path))?.isSet;
}

function readLine(text: string): Line[] {
  const match = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"#[!][^\s]*|\[(?!attr\])[^\s]*))\s+(.*?)\s*$/.exec(text);
  const pattern = match === null ? undefined : parsePattern((match[1] ?? match[2])!);
  if (pattern === undefined) return [];
  return match![3]!.split(/\s+/).flatMap((word) => {
    const found = /^([-!]?)linguist-(generated|vendored)(?:=(true|false))?$/.exec(word);
    if (found === null) return [];
    return [{ pattern, attribute: found[2] as Attribute, isSet: found[1] === "" && found[3] !== "false" }];
  });
}
