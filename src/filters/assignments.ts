// Values under a name of what is kept secret, as programs, settings, XML, JSON, shells and command lines write them:
// `name = "…"`, `name: …`, `<name>…</name>`, `name="DB_PASSWORD" value="…"`, `setName("…")`, `--name …`. The forms are
// those of the languages' own manuals. Looks at one line only, which may be made of two (`pairs.ts`).

import { isChosenPassword, isIssuedUuid, isPassword, isRandom, isRandomWithSigns } from "./plausible.ts";

/** Names behind which nothing but a password stands, so that a short one is known as one. */
const PASSWORDS =
  "passw(?:or)?d|passphrase|passwd|pwd|psk|(?<=[_.-])pass|(?<![a-z])pass(?=[\"':= ])|(?<=key|store|user|db)pass|requirepass|masterauth";
const OWNERS =
  "api|app|access|auth|private|encryption|signing|master|account|client|shared|shared_?access|session|jwt|hmac|cookie|service|deploy|webhook|license|admin|root|storage|nonce|logged_in";
const SECRETS = `secrets?|tokens?|credentials?|_auth|(?:${OWNERS})[_-]?keys?|(?:api|auth)[_-]?(?:secret|token)|(?:auth|nonce|logged_in)_salt`;

const NAME = new RegExp(`(${PASSWORDS})|${SECRETS}`, "gi");

/** A part of one of these stands in every line where the rule finds something. */
export const assignedAnchors: readonly string[] = [
  ...[
    "secret",
    "token",
    "passw",
    "passphrase",
    "pwd",
    "psk",
    "credential",
    "_auth=",
    "_auth:",
    "_auth =",
    "masterauth",
  ],
  ...["nonce_salt", "logged_in_salt"],
  ...["_pass", ".pass", "-pass", "pass:", "pass=", "pass ", 'pass"', "pass'"],
  ...["keypass", "storepass", "userpass", "dbpass", "requirepass"],
  ...["", "_", "-"].flatMap((gap) =>
    OWNERS.split("|")
      .filter((owner) => !owner.includes("?"))
      .map((owner) => `${owner}${gap}key`),
  ),
];

/** What stands right before a name whose value is meant to be refused, or to mean nothing. */
const SPURIOUS = /(?:invalid|wrong|bad|fake|dummy|mock|sample|example|expired|unknown|test)[\s_-]?$/i;

const { raw } = String;
// In these patterns \x60 is a backtick.
/** The rest of a name, and what closes it: quotes, brackets, the end of a call, a type. */
const CLOSED = raw`[\w-]{0,24}[\\"'\x60\])]{0,4}(?:\s{0,4}:\s{0,2}[&\w<>|]{1,20}|\s?\{ ?get;[^{}]{0,20}\})?`;
const SIGNS = raw`:=|=>|->|<-|\?=|!?={1,3}|\|\|=?|\?\?=?|:-|:{1,2}|,|\{|\bor\b`;
const OPEN = raw`\\?["'\x60]`;
const INSIDE = raw`[^\s"'\x60\\]`;
/** Quotes may have a letter before them, or a call around them. */
const QUOTED = raw`(?:[\w.:]{1,24}[(!]\s?){0,2}(?:[a-zA-Z]{1,2}|@)?${OPEN}(?:base64:)?(${INSIDE}{256}|${INSIDE}{8,255}(?=["'\x60\\]))`;
const PLAIN = raw`[\w+/=.~!@#$%^*?-]`;
const BARE = raw`(?:base64:)?(${PLAIN}{256}|${PLAIN}{8,255}(?=$|[\s;,&"'\x60#<)}\\]))`;
/** A second attribute or entry, which holds the value of the one that is named. */
const VALUE = raw`[\\"'\x60]{0,2}[\s,{]{1,4}[\\"'\x60]{0,2}(?:value|content|default|text)[\\"'\x60]{0,2}\s?[:=]\s?[\\"'\x60]{0,2}`;
/** An element that holds the value of the one before it. */
const NEXT = raw`</\w{1,16}>\s{0,8}<(?:string|value|data)>`;
const MARKED = raw`(?:<!\[CDATA\[)?([^\s"'\x60\\<>\]]{8,256})(?=[\s"'\x60\\<\]]|$)`;

type Form = { readonly pattern: RegExp; readonly holds: (value: string, isPasswordName: boolean) => boolean };

const forms: readonly Form[] = [
  { pattern: RegExp(raw`^${CLOSED}\s{0,24}(?:(?:${SIGNS})\s{0,24}|\(\s?)${QUOTED}`), holds: isQuoted },
  { pattern: RegExp(raw`^${CLOSED}\s{0,24}(?:${SIGNS})\s{0,24}${BARE}`), holds: isBare },
  {
    pattern: RegExp(raw`^[\w-]{0,24}["']?\s{0,4}[:=]\s{1,8}([^\s"'\x60<>()[\]{};]{8,128})\s{0,8}$`),
    holds: isBare,
  },
  {
    pattern: RegExp(raw`^[\w.:-]{0,24}(?:(?:\s[^<>]{0,80}|["'])?>|${NEXT}|${VALUE})${MARKED}`),
    holds: isQuoted,
  },
  {
    pattern: RegExp(raw`^[\w-]{0,24}["']?\s{1,8}(?:(?:is|was|to):?\s)?(?:${OPEN})?${BARE}`),
    holds: isBehind,
  },
];

/** How much of a line behind a name is looked at. */
const WIDTH = 420;

/** A name such as "password" or "api_key" with a value that no person would type as an example. */
export function hasAssignment(line: string): boolean {
  for (const { 0: name, 1: password, index } of line.matchAll(NAME)) {
    if (SPURIOUS.test(line.slice(Math.max(0, index - 12), index))) continue;
    const rest = line.slice(index + name.length, index + name.length + WIDTH);
    for (const { pattern, holds } of forms) {
      const value = pattern.exec(rest)?.[1];
      if (value !== undefined && !isReadable(value) && holds(value, password !== undefined)) return true;
    }
  }
  return false;
}

function isQuoted(value: string, isPasswordName: boolean): boolean {
  if (isRandom(value) || isRandomWithSigns(value) || isIssuedUuid(value)) return true;
  return isPasswordName
    ? isPassword(value) || isChosenPassword(value)
    : value.length >= 10 && isStrong(value);
}

function isBare(value: string, isPasswordName: boolean): boolean {
  if (isRandom(value) || isIssuedUuid(value)) return true;
  return isPasswordName && value.length >= 10 && (isPassword(value) || isChosenPassword(value));
}

/** Behind a gap, where a sentence may stand as well. */
function isBehind(value: string, isPasswordName: boolean): boolean {
  if (value.length >= 20 && isRandom(value)) return true;
  return isPasswordName && value.length >= 10 && isPassword(value);
}

/** Base64 of plain text without a password in it. What begins with "eyJ" is a token of JSON, judged elsewhere. */
function isReadable(value: string): boolean {
  if (value.startsWith("eyJ")) return true;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return false;
  const text = Buffer.from(value, "base64").toString("latin1");
  return /^[ -~\s]+$/.test(text) && !isPassword(text.slice(text.indexOf(":") + 1));
}

/** A password with signs in it, as rules for passwords ask for. */
function isStrong(value: string): boolean {
  if (!/[!@#$%^&*?]/.test(value) || !/[A-Z]/.test(value) || !/[a-z]/.test(value)) return false;
  return /^[\w!@#$%^&*?+=.~-]+$/.test(value) && isPassword(value);
}
