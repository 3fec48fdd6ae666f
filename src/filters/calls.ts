// Passwords as arguments of a function: behind a name (`login("ada", "…")`, `auth=("ada", "…")`), or as the key of a
// signature (`createHmac("sha256", "…")`). Function names of the libraries' own manuals; one line only.

import { isPassword } from "./plausible.ts";

const FUNCTIONS =
  "(?:basic_?)?auth|login|log_?on|sign_?in|credentials?|authenticate|getconnection|connect|mysqli|pdo|createhmac|jwt\\.sign|jwt\\.verify|jwt\\.(?:en|de)code|hmac\\.new|user_?info";
const CALL = new RegExp(`(?:${FUNCTIONS})\\s?[=:]?\\s?\\(([^()]{0,300})`, "gi");
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
];

/** An argument behind the first that looks like a password. */
export function hasCallLogin(line: string): boolean {
  for (const { 1: given } of line.matchAll(CALL)) {
    for (const [, double, single, back] of given!.matchAll(ARGUMENT)) {
      if (isPassword(double ?? single ?? back!)) return true;
    }
  }
  return false;
}
