// Keys known by what stands around them, and what stands there without being one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyRules } from "./keys.ts";

const PASSWORD = ["Xq7Lm2", "Rv9TzB4w"].join("");
const KEY = ["q8ZrT2vLx7PnW4mKd9Yb", "3HsJ6FgQ1cNe5VuA0oBi"].join("");
const HEX = "5b3e19c48d724f069ae1c07d4b6a2f95".repeat(2);
const PHRASE = "adapt absorb addict abuse abandon ability afford aerobic advance accuse afraid agent";

function holds(line: string): boolean {
  return keyRules.some((rule) => {
    const isAsked = rule.anchors.some((anchor) => line.toLowerCase().includes(anchor));
    return isAsked && rule.holds(line);
  });
}

function pem(kind: string): string {
  return Buffer.from(`${"-".repeat(5)}BEGIN ${kind}${"-".repeat(5)}\n${KEY}\n`).toString("base64");
}

test("keys in other clothes", () => {
  for (const line of [
    `  tls.key: ${pem(`EC PRIVATE ${"KEY"}`)}`,
    `jwk = { kty: 'EC', crv: 'P-256', d: '${KEY}abc', x: '…' }`,
    `{"kty":"oct","k":"${KEY}"}`,
    `const signer = new ethers.Wallet("0x${HEX}");`,
    `new Wallet('${HEX}', provider)`,
    `  mnemonic: "${PHRASE}",`,
    `SEED_PHRASE='${PHRASE} about above absent abstract absurd access'`,
    `wss://mainnet.infura.io/ws/v3/${HEX.slice(0, 32)}`,
    `ALCHEMY=https://eth-mainnet.g.alchemy.com/v2/${KEY.slice(0, 32)}`,
    `define('NONCE_SALT', '+k|G 3)w}Zq?8[u;Hd>1-eC(.${KEY.slice(0, 38)}');`,
    `ada:$2y$05$${KEY}${PASSWORD.slice(0, 13)}`,
    `      - traefik.http.middlewares.a.basicauth.users=ada:$$apr1$$${KEY.slice(0, 8)}$$${KEY.slice(0, 22)}`,
    `*:*:*:app:${PASSWORD}`,
  ]) {
    assert.ok(holds(line), line);
  }
});

test("certificates, public keys, accounts of tests, sentences and ports are none", () => {
  for (const line of [
    `  tls.crt: ${pem("CERTIFICATE")}`,
    `  public: ${pem(`PUBLIC ${"KEY"}`)}`,
    `const privatePrefix = "${pem(`PRIVATE ${"KEY"}`).slice(0, 36)}";`,
    `{"kty":"RSA","e":"AQAB","n":"${KEY}"}`,
    `{"kty":"EC","d":"your-private-key-goes-here-your-private-key"}`,
    "accounts: ['0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80']",
    `const accounts = ["0x${HEX.slice(0, 40)}"];`,
    `privateKey: "0x${"0".repeat(63)}1"`,
    `mnemonic: "${"test ".repeat(11)}junk"`,
    `mnemonic: "${"abandon ".repeat(11)}about"`,
    "The mnemonic: twelve words that you write down and keep for the day when all else is lost",
    "https://mainnet.infura.io/v3/YOUR-PROJECT-ID",
    "define('AUTH_KEY', 'put your unique phrase here');",
    "test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
    '      - "127.0.0.1:5432:5432"',
    "localhost:5432:app:app:password",
  ]) {
    assert.ok(!holds(line), line);
  }
});

test("a long line of beginnings takes no longer than its length", () => {
  const start = performance.now();
  const units = [
    '"kty":"RSA","d":"',
    "mnemonic: abandon ",
    "wallet('0x",
    "a:$apr1$a",
    ":*:*:*:",
    "auth_key','",
  ];
  for (const unit of [...units, "LS0tLS1CRUdJTi", "phrase a ability ", "MTA".repeat(9)]) {
    const line = unit.repeat(Math.ceil(65536 / unit.length));
    for (const rule of keyRules) rule.holds(line);
  }
  assert.ok(performance.now() - start < 5000);
});
