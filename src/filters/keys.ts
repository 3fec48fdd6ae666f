// Keys known by what stands around them: private keys in base64 or as JSON (RFC 7517), keys and phrases of wallets
// (BIP 39), keys inside addresses, WordPress's salts, lines of htpasswd, shadow and pgpass files. One line only.

import { isFilling, isPassword } from "./plausible.ts";
import { type SecretRule, token } from "./rule.ts";

/** A part of a line, and what else must be true of it. */
function part(pattern: RegExp, isSecret: (found: string) => boolean): (line: string) => boolean {
  const every = RegExp(pattern, `g${pattern.flags}`);
  return (line) => [...line.matchAll(every)].some(([whole, found]) => isSecret(found ?? whole));
}

const PRIVATE_PEM =
  /^-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----\s{1,4}(?:[A-Za-z0-9+/]{16}|Proc-Type)/;

function isPrivatePem(value: string): boolean {
  return PRIVATE_PEM.test(Buffer.from(value, "base64").toString("latin1"));
}

const KIND = /\bkty["']?\s?:\s?["'](?:RSA|EC|OKP|(oct))["']/;
const isPrivateMember = part(/["'{,\s]d["']?\s?:\s?["']([\w-]{40,800})["']/, isMember);
const isSharedMember = part(/["'{,\s]k["']?\s?:\s?["']([\w-]{22,800})["']/, isMember);

function isMember(value: string): boolean {
  return !isFilling(value.slice(-24));
}

function hasPrivateJson(line: string): boolean {
  const kind = KIND.exec(line);
  return kind !== null && (kind[1] === undefined ? isPrivateMember(line) : isSharedMember(line));
}

/** The first accounts of two programs for tests, the same on every machine. */
const KNOWN_WALLET = /^(?:0x)?(?:ac0974bec39a17e3|4f3edf983ac636a6)/i;

function isIssuedHex(value: string): boolean {
  return !isFilling(value) && !KNOWN_WALLET.test(value) && new Set(value).size >= 12;
}

/** Words of sentences, of which BIP 39 has none. */
const SENTENCE = /\b(?:the|and|for|are|from|not|was|with|has|its)\b/;

function isPhrase(value: string): boolean {
  const words = value.split(" ");
  return words.length % 3 === 0 && 3 * new Set(words).size >= 2 * words.length && !SENTENCE.test(value);
}

/** Hashes of the manuals of Apache and Traefik. */
const KNOWN_HASH = /qHDFfhPC|r31\.{4}|H6uskkkW|d9hr9HBB/;

function isIssuedHash(value: string): boolean {
  return !isFilling(value.slice(-22)) && !KNOWN_HASH.test(value);
}

function isSalt(value: string): boolean {
  return new Set(value).size >= 24 && /\d/.test(value) && /[A-Za-z]/.test(value) && /[^\w\s]/.test(value);
}

export const keyRules: readonly SecretRule[] = [
  {
    name: "private key in base64",
    anchors: ["ls0tls1crudjti"],
    holds: part(/LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,160}/, isPrivatePem),
  },
  { name: "private key in JSON", anchors: ["kty"], holds: hasPrivateJson },
  {
    name: "private key of a wallet",
    anchors: ["private", "accounts", "deployer", "wallet", "signer"],
    holds: part(/(?<![\w+/])(?:0x[0-9a-f]{64}|(?<=wallet\(["'])[0-9a-f]{64})(?![\w+/])/i, isIssuedHex),
  },
  {
    name: "phrase of a wallet",
    anchors: ["mnemonic", "phrase", "seed_words", "seedwords"],
    holds: part(
      /(?:mnemonic|phrase|seed_?words)\w{0,16}["']?\s{0,8}[:=(,]\s{0,8}["'`]?((?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?=["'`,;]|\s{0,8}$)/i,
      isPhrase,
    ),
  },
  token(
    "key in an address",
    ["infura.io", "alchemy.com", "alchemyapi.io", "quiknode.pro"],
    "(?<=infura\\.io/(?:ws/)?v3/)[0-9a-f]{32}|(?<=alchemy(?:api)?\\.(?:com|io)/(?:nft/)?v[23]/)[\\w-]{20,40}|(?<=quiknode\\.pro/)[0-9a-f]{40}",
  ),
  {
    name: "salt",
    anchors: ["auth", "logged_in", "nonce"].flatMap((name) => [`${name}_key`, `${name}_salt`]),
    holds: part(
      /(?:auth|logged_in|nonce)_(?:key|salt)["']?\s{0,8}[,=:]\s{0,8}(?:'([^']{56,80})'|"[^"]{56,80}")/i,
      isSalt,
    ),
  },
  {
    name: "hash of a password",
    anchors: [":$apr1$", ":$$apr1$$", ":$1$", ":$5$", ":$6$", ":$7$", ":$y$", ":$gy$", ":$2", ":$$2"],
    holds: part(
      /(?<![^\s"'=,])(?!test|example|foo:|bar:)[\w.@-]{1,64}:(\$(?:\$?(?:apr1|2[abxy])\$|[1567]\$|g?y\$)[\w./$=,]{20,160})(?=[\s:"',]|$)/i,
      isIssuedHash,
    ),
  },
  {
    name: "line of a password file",
    anchors: [":5432:", ":5433:", ":6432:", ":*:"],
    holds: part(
      /^[\w.*-]{1,200}:(?:\d{4,5}|\*):[\w*-]{1,64}:[\w.*@-]{1,64}:([^\s:]{8,128})\s{0,4}$/,
      isPassword,
    ),
  },
  token("key of a messaging server", [":apa91b"], "AAAA[\\w-]{7}:APA91b[\\w-]{120,160}"),
  token("Okta token", ["ssws "], "(?<=SSWS )00[\\w-]{40}"),
  token(
    "Discord token",
    ["discord", "login(", "bot "],
    "[MNO][DTjz][AEIMQUYcgk][\\w-]{20,25}\\.[\\w-]{6}\\.[\\w-]{27,40}",
  ),
];
