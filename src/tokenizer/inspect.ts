// What a text becomes: its tokens as they are spelled in the vocabulary and as a person reads them, and what is missing
// from the text when they are decoded again.

import { textOfByteLetters } from "./bytes.ts";
import { parseTokenizerJson } from "./json.ts";
import { isByteLevel, tokensById } from "./lossless.ts";
import type { Tokenizer } from "./tokenizer.ts";

export type Token = {
  readonly id: number;
  /** As the vocabulary spells it; empty for an id that it does not have. */
  readonly token: string;
  /** With white space made visible. */
  readonly shown: string;
};

/** How often each character occurs more often in one text than in the other, the most frequent first. */
export type Surplus = readonly (readonly [character: string, count: number])[];

export type Loss = {
  readonly whole: boolean;
  /** In the text, but not given back. */
  readonly missing: Surplus;
  /** Given back, but not in the text. */
  readonly extra: Surplus;
  /** The first line that differs. */
  readonly first: { readonly line: number; readonly was: string; readonly is: string } | null;
};

export type Inspection = {
  readonly tokens: readonly Token[];
  readonly lines: number;
  readonly bytes: number;
  readonly loss: Loss;
};

/** Encodes and decodes a text. */
export async function inspect(tokenizer: Tokenizer, text: string): Promise<Inspection> {
  const ids = await tokenizer.encode(text);
  const spelling = spellingOf(tokenizer);
  return {
    tokens: ids.map((id) => ({ id, ...spelling(id) })),
    lines: countLines(text),
    bytes: Buffer.byteLength(text),
    loss: lossBetween(text, await tokenizer.decode(ids)),
  };
}

/** Lines of a text; the last one need not end. */
export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") || text === "" ? 1 : 0);
}

/** What differs in `back` from `text`. */
export function lossBetween(text: string, back: string): Loss {
  if (text === back) return { whole: true, missing: [], extra: [], first: null };
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  for (const character of back) counts.set(character, (counts.get(character) ?? 0) - 1);
  return {
    whole: false,
    missing: surplus(counts, 1),
    extra: surplus(counts, -1),
    first: firstDifference(text.split("\n"), back.split("\n")),
  };
}

function surplus(counts: ReadonlyMap<string, number>, sign: 1 | -1): Surplus {
  return [...counts]
    .flatMap(([character, count]) => (count * sign > 0 ? [[character, count * sign] as const] : []))
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function firstDifference(was: readonly string[], is: readonly string[]): Loss["first"] {
  const at = was.findIndex((line, i) => line !== is[i]);
  const line = at < 0 ? was.length : at;
  return { line: line + 1, was: was[line] ?? "", is: is[line] ?? "" };
}

const SIGNS: Readonly<Record<string, string>> = { " ": "·", "\n": "↵", "\t": "→", "\r": "␍", "\u00a0": "⍽" };

/** A text in which white space can be seen, and nothing moves a terminal's cursor. */
export function visible(text: string): string {
  return text
    .replace(/[ \n\t\r\u00a0]/g, (sign) => SIGNS[sign]!)
    .replace(/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu, (sign) => {
      return `\\u{${sign.codePointAt(0)!.toString(16)}}`;
    });
}

function spellingOf(tokenizer: Tokenizer): (id: number) => Omit<Token, "id"> {
  const json = parseTokenizerJson(tokenizer.files()["tokenizer.json"]!);
  const added = new Set((json.added_tokens ?? []).map(({ id }) => id));
  const tokens = tokensById(json);
  const inBytes = isByteLevel(json.decoder);
  return (id) => {
    const token = tokens[id] ?? "";
    if (!inBytes || added.has(id)) return { token, shown: visible(token) };
    return { token, shown: visible(textOfByteLetters(token) ?? token) };
  };
}
