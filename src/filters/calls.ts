// Passwords as arguments of a function: behind a name (`login("ada", "…")`, `auth=("ada", "…")`), or as the key of a
// signature (`createHmac("sha256", "…")`). Function names of the libraries' own manuals; one line only.

import { isPassword } from "./plausible.ts";

const FUNCTIONS =
  "(?:basic_?)?auth|login|log_?on|sign_?in|credentials?|authenticate|getconnection|connect|mysqli|pdo|createhmac|jwt\\.sign|jwt\\.verify|jwt\\.(?:en|de)code|hmac\\.new|user_?info|authentication|(?:ldap|simple)_bind(?:_s)?|wifi\\.begin|algoliasearch|twilio|oauth2(?:client)?|aes\\.(?:en|de)crypt|create(?:de)?cipher(?:iv)?";
const CALL = new RegExp(`(?:${FUNCTIONS})\\s?[=:]?\\s?\\(([^()]{0,300})`, "gi");
/** Functions whose first argument is a key. */
const KEYED = /\b(?:cookie_?parser|fernet|hashids|cryptr)\(\s?b?(?:"([^"\s]{8,256})"|'([^'\s]{8,256})')/gi;
/** A whole argument behind another one. */
const ARGUMENT = /,\s{0,4}(?:"([^"\s]{8,256})"|'([^'\s]{8,256})'|`([^`\s]{8,256})`)/g;

export const callAnchors: readonly string[] = [
  ...["auth(", "auth=(", "auth = (", "auth: (", "login(", "logon(", "log_on(", "signin(", "sign_in("],
  ...["credential(", "credentials(", "authenticate(", "connection(", "connect(", "mysqli(", "pdo("],
  ...[
    "createhmac(",
    "jwt.sign(",
    "jwt.verify(",
    "jwt.encode(",
    "jwt.decode(",
    "hmac.new(",
    "userinfo(",
    "user_info(",
  ],
  ...[
    "authentication(",
    "_bind(",
    "_bind_s(",
    "wifi.begin(",
    "algoliasearch(",
    "twilio(",
    "oauth2(",
    "oauth2client(",
  ],
  ...["aes.encrypt(", "aes.decrypt(", "cipher(", "cipheriv(", "cookieparser(", "cookie_parser("],
  ...["fernet(", "hashids(", "cryptr("],
];

/** An argument that looks like a password, behind the first one where that is a name. */
export function hasCallLogin(line: string): boolean {
  for (const { 1: given } of line.matchAll(CALL)) {
    for (const [, double, single, back] of given!.matchAll(ARGUMENT)) {
      if (isPassword(double ?? single ?? back!)) return true;
    }
  }
  for (const [, double, single] of line.matchAll(KEYED)) if (isPassword(double ?? single!)) return true;
  return false;
}
