// Names and passwords inside addresses (`scheme://name:password@host`), `Authorization` headers and the settings of
// container programs, which hold the same.

import { isChosenPassword, isPassword, isRandom } from "./plausible.ts";

const LOGIN =
  /[a-z][a-z0-9+.-]{1,20}:\/\/([^\s:@/"'`<>]{0,100}):([^\s@/"'`<>]{3,200})@([^\s/:?#"'`<>,)]{2,200})/gi;

/** Hosts that no one else can reach, or that stand in documentation (RFC 2606, RFC 6761). */
const NO_HOST =
  /^(?:localhost|127\.|0\.0\.0\.0|\[?::1|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|(?:^|\.)(?:example|test|invalid|local|localhost|internal)(?:\.\w+)?$|example|host(?:name|ip)?$|[%${}<>*[\]]|^[^.]+$/i;

/** True when an address in the line has a password that looks like one, for a host that could be somewhere. */
export function hasLogin(line: string): boolean {
  for (const [, name, password, host] of line.matchAll(LOGIN)) {
    const plain = decodePercent(password!);
    if (NO_HOST.test(host!) && !isRandom(plain)) continue;
    if ((isPassword(plain) || isChosenPassword(plain)) && plain !== name) return true;
  }
  return false;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const HEADER =
  /(?:\b(bearer|basic)\s{1,4}|"auth"\s?:\s{0,4})["']?([A-Za-z0-9._~+/-]{16,600}={0,2})(?![\w.~+/-])/gi;

/** True for a bearer token that looks random, or a basic login whose password looks like one. */
export function hasAuthorization(line: string): boolean {
  for (const [, scheme, value] of line.matchAll(HEADER)) {
    const isSecret = scheme?.toLowerCase() === "bearer" ? isRandom(value!) : isBasicLogin(value!);
    if (isSecret) return true;
  }
  return false;
}

function isBasicLogin(value: string): boolean {
  const text = Buffer.from(value, "base64").toString("latin1");
  const colon = text.indexOf(":");
  if (colon < 1 || /[^ -~]/.test(text)) return false;
  return isPassword(text.slice(colon + 1));
}

const TOKEN = /\beyJ[\w-]{10,}\.(eyJ[\w-]{10,})\.[\w-]{16,}/g;

/** Claims by which a JSON Web Token is known to be someone's, and issued at some time (RFC 7519, 4.1). */
const WHO = ["iss", "sub", "aud", "jti", "email", "uid", "user_id"];
const WHEN = ["exp", "iat", "nbf"];
const SAMPLE =
  /1234567890|john doe|jane|example|test|foo|bar|hello|sample|demo|fake|mock|dummy|alice|bob|joe|acme|localhost|user|admin|issuer/i;

/** True for a JSON Web Token that was issued to someone, not written for a test or a manual. */
export function hasWebToken(line: string): boolean {
  for (const [, payload] of line.matchAll(TOKEN)) {
    const text = Buffer.from(payload!, "base64url").toString();
    if (!SAMPLE.test(text) && isIssued(text)) return true;
  }
  return false;
}

function isIssued(text: string): boolean {
  try {
    const claims = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
    const isSomeone = (name: string) => `${claims[name] ?? ""}`.length >= 8;
    return WHO.some(isSomeone) && WHEN.some((name) => Object.hasOwn(claims, name));
  } catch {
    return false;
  }
}
