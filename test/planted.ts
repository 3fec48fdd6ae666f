// Secrets of twenty kinds, made up from a seed and from parts, so that none stands in this tree: what a scanner of
// secrets must find. Each is a line of code as people commit them by accident.

import { createRandom, type Random } from "../src/base/random.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const LETTERS = LOWER + UPPER;
const MIXED = LETTERS + DIGITS;
const HEX = `${DIGITS}abcdef`;

type Maker = (random: Random) => string;

function pick(random: Random, letters: string, length: number): string {
  return Array.from({ length }, () => letters[random.below(letters.length)]).join("");
}

/** Joined here, so that the prefix as a whole is in no file. */
function prefixed(parts: readonly string[], letters: string, length: number): Maker {
  return (random) => parts.join("") + pick(random, letters, length);
}

function webToken(random: Random): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: "https://id.northwind.dev",
    sub: pick(random, HEX, 24),
    exp: 1_700_000_000 + random.below(1e8),
  };
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${pick(random, `${MIXED}-_`, 43)}`;
}

function password(random: Random): string {
  return (
    pick(random, UPPER, 2) +
    pick(random, LOWER, 3) +
    pick(random, DIGITS, 3) +
    pick(random, "!#$*", 1) +
    pick(random, MIXED, 5)
  );
}

const header = (kind: string) => `${"-".repeat(5)}BEGIN ${kind}PRIVATE ${"KEY"}${"-".repeat(5)}`;

/** Kinds by name; each gives one line. */
export const plantedKinds: Readonly<Record<string, Maker>> = {
  "AWS access key": (r) => `aws_access_key_id = ${prefixed(["AK", "IA"], `${UPPER}234567`, 16)(r)}`,
  "AWS secret": (r) => `export AWS_SECRET_ACCESS_KEY=${pick(r, `${MIXED}/+`, 40)}`,
  "GitHub token": (r) => `git clone https://${prefixed(["gh", "p_"], MIXED, 36)(r)}@github.com/a/b`,
  "GitLab token": (r) => `  token: "${prefixed(["gl", "pat-"], MIXED, 20)(r)}",`,
  "Slack token": (r) =>
    `const bot = '${["xo", "xb"].join("")}-${pick(r, DIGITS, 12)}-${pick(r, DIGITS, 12)}-${pick(r, MIXED, 24)}'`,
  "Google key": (r) => `var key = "${prefixed(["AI", "za"], `${MIXED}-_`, 35)(r)}";`,
  "Stripe key": (r) => `stripe.setKey("${prefixed(["sk", "_live_"], MIXED, 24)(r)}")`,
  "npm token": (r) => `//r.example.org/:_authToken=${prefixed(["np", "m_"], MIXED, 36)(r)}`,
  "SendGrid key": (r) => `mail.key = "${["S", "G."].join("")}${pick(r, MIXED, 22)}.${pick(r, MIXED, 43)}"`,
  "OpenAI key": (r) => `openai = OpenAI("${["s", "k-"].join("")}${pick(r, MIXED, 48)}")`,
  "private key": (r) => header(["RSA ", "EC ", "", "OPENSSH ", "DSA "][r.below(5)]!),
  "private key in a string": (r) =>
    `  "key": "${header("")}\\n${["MI", "IE"].join("")}${pick(r, MIXED, 60)}\\n",`,
  "database address": (r) => `DATABASE_URL=postgres://app:${pick(r, MIXED, 16)}@db.northwind.dev:5432/app`,
  "web address": (r) => `fetch("https://deploy:${pick(r, MIXED, 14)}@ci.northwind.dev/build")`,
  "JSON Web Token": (r) => `const session = "${webToken(r)}";`,
  "bearer token": (r) => `curl -H "Authorization: Bearer ${pick(r, MIXED, 40)}" https://api.northwind.dev`,
  "basic login": (r) => `Authorization: Basic ${Buffer.from(`deploy:${password(r)}`).toString("base64")}`,
  "storage key": (r) => `AccountName=files;${["Account", "Key="].join("")}${pick(r, MIXED, 86)}==;Suffix=x`,
  "assigned key": (r) => `  client_secret: '${pick(r, MIXED, 32)}'`,
  "assigned password": (r) => `db.password = "${password(r)}"`,
};

/** `each` lines of every kind. */
export function plantSecrets(seed: number, each: number): { readonly kind: string; readonly line: string }[] {
  const random = createRandom(seed);
  return Object.entries(plantedKinds).flatMap(([kind, make]) =>
    Array.from({ length: each }, () => ({ kind, line: make(random) })),
  );
}
