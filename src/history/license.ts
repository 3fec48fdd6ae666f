// Guesses the licence of a repository from the file that states it, as an SPDX identifier: a phrase that only that
// licence has. A hint for people, no advice; what is not known is null.

import { runGit } from "./git.ts";
import { readAtHead } from "./rules.ts";
import { placeOf, type Shadow } from "./shadow.ts";

const NAMES = /^(licen[cs]e|copying|unlicense)([.-](md|txt|rst|mit|apache))?$/i;

/** The first that fits; those that quote others stand before them. */
const PHRASES: readonly (readonly [id: string, phrase: RegExp])[] = [
  ["AGPL-3.0", /GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3/],
  ["LGPL-3.0", /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3/],
  ["LGPL-2.1", /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1/],
  ["GPL-3.0", /GNU GENERAL PUBLIC LICENSE\s+Version 3/],
  ["GPL-2.0", /GNU GENERAL PUBLIC LICENSE\s+Version 2/],
  ["MPL-2.0", /Mozilla Public License,? Version 2\.0/i],
  ["EPL-2.0", /Eclipse Public License - v 2\.0/],
  ["Apache-2.0", /Apache License\s+Version 2\.0/],
  ["CC0-1.0", /CC0 1\.0 Universal/],
  ["Unlicense", /This is free and unencumbered software released into the public domain/],
  ["BSD-3-Clause", /Redistribution and use in source and binary forms[\s\S]*Neither the name/],
  ["BSD-2-Clause", /Redistribution and use in source and binary forms/],
  ["MIT", /Permission is hereby granted, free of charge, to any person obtaining\s+a copy/],
  [
    "ISC",
    /Permission to use, copy, modify, and(\/or)? distribute this software for any\s+purpose with or without fee is hereby\s+granted, provided that the above copyright notice and this permission notice appear in all copies/,
  ],
  [
    "curl",
    /Permission to use, copy, modify, and distribute this software for any purpose\s+with or without fee is hereby granted/,
  ],
];

/** The licence that the commit that is checked out states; `null` where none is stated or known. */
export async function guessLicense(shadow: Shadow, signal?: AbortSignal): Promise<string | null> {
  if (shadow.head === null) return null;
  const { stdout } = await runGit(["ls-tree", "-z", "--name-only", shadow.head], placeOf(shadow, signal));
  const names = stdout.toString("utf8").split("\0");
  const name = names.find((one) => NAMES.test(one));
  const text = name === undefined ? null : await readAtHead(name, shadow, signal);
  return text === null ? null : licenseOf(text);
}

/** The SPDX identifier of a licence's text, or `null`. */
export function licenseOf(text: string): string | null {
  return PHRASES.find(([, phrase]) => phrase.test(text))?.[0] ?? null;
}
