// What a rule for secrets is, and the commonest one: a form that an issuer documents. Knows no issuer.

import { isFilling } from "./plausible.ts";

/** Looks at one line only, and is asked only where one of its anchors stands: anchors must be part of all it finds. */
export type SecretRule = {
  readonly name: string;
  /** Lower case, found in either case. */
  readonly anchors: readonly string[];
  readonly holds: (line: string) => boolean;
};

/** A prefix of an issuer and what follows it, in the case that is written here. */
export function token(name: string, anchors: readonly string[], body: string): SecretRule {
  const pattern = new RegExp(`(?<![A-Za-z0-9])(?:${body})(?![A-Za-z0-9])`, "g");
  const holds = (line: string) => [...line.matchAll(pattern)].some(([found]) => !isFilling(bodyOf(found)));
  return { name, anchors, holds };
}

/** The token without its prefix, which may have words in it such as "secret". */
function bodyOf(found: string): string {
  return found.slice(-24);
}
