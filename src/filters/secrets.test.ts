// Secrets planted and found; what stands in their place let go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { plantedKinds, plantSecrets } from "../../test/planted.ts";
import { createScanner } from "./secrets.ts";
import type { ChangeFacts, CommitFacts } from "./verdict.ts";

const commit: CommitFacts = { hash: "c", message: "Add it", author: "A", mail: "", time: 0, merge: false };
let count = 0;
const nextId = () => (++count).toString(16).padStart(8, "0").padEnd(40, "a");

function change(old: string | null, body: string): ChangeFacts {
  const diff = `diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n${body}`;
  return { path: "f", old, diff, oldOid: nextId(), newOid: nextId() };
}

test("980 planted secrets of 98 kinds, in diff, old content and message", () => {
  assert.equal(Object.keys(plantedKinds).length, 98);
  const missed: string[] = [];
  for (const { kind, line } of plantSecrets(20, 10)) {
    const scanner = createScanner();
    const places = [
      scanner.scan(commit, change("a\n", ` a\n+${line}\n b\n`)),
      scanner.scan(commit, change("a\n", ` a\n-${line}\n b\n`)),
      scanner.scan(commit, change(`a\n${line}\nb`, "-a\n+c\n")),
      scanner.scan({ ...commit, hash: "d", message: `Add it\n\n${line}` }, change("a\n", "-a\n+c\n")),
    ];
    if (!places.every((verdict) => verdict?.reason === "secret")) missed.push(`${kind}: ${line}`);
  }
  assert.deepEqual(missed, []);
});

const harmless: readonly string[] = [
  "const password = process.env.DATABASE_PASSWORD;",
  'password: "changeme-please-1"',
  'api_key = "xxxxxxxxxxxxxxxxxxxxxxxx"',
  'apiKey: "YOUR_API_KEY_GOES_HERE_123"',
  'token = "aaaaaaaaaaaaaaaaaaaaaaaaaaaa1"',
  `secret: "${"0123456789abcdef".repeat(2)}"`,
  "postgres://user:password@localhost:5432/test",
  "https://user:pass@example.com/path",
  "http://testuser:testpass@%HOSTIP:%HTTPPORT/",
  `redis://:${"$"}{REDIS_PASSWORD}@cache.internal:6379`,
  `${["AK", "IA"].join("")}IOSFODNN7EXAMPLE`,
  "const token = request.headers.get('x-csrf-token')",
  "var tokenType = parser.expectIdentifierToken2Kind(value);",
  "Authorization: Basic dXNlcjpwYXNzd29yZA==",
  "Authorization: Bearer <your token>",
  `pem.includes("${"-".repeat(5)}BEGIN PRIVATE ${"KEY"}${"-".repeat(5)}")`,
  '"integrity": "sha512-z7GJpl8Gv4vW6i0sQ0y8bq6yF3cXk9w2L1mP4nR5tU6="',
  "session_secret: keyboard cat",
  "token: 550e8400-e29b-41d4-a716-446655440000",
  "secretOrPrivateKey, 'algorithmIsNotSupported2'",
  "const invalidToken = 'q8ZrT2vLx7PnW4mKd9Yb3HsJ'",
  "msg.text.split('.')[0]",
  "machine api.example.com login ada password $TOKEN_OF_ADA",
  "mysql -u root -pmy-secret-pw --port 3306",
  "curl -u user:passwd -T file ftp://ftp.upload.com/",
  "curl --user 'ada:{{ password }}' https://api.northwind.dev",
  `<password>${"$"}{env.PASSWORD}</password>`,
  '<input type="password" name="currentPassword" value="{{ form.password }}">',
  '<add key="PasswordFormat" value="SecurePasswordHasher" />',
  `docker login -u ${"$"}{{ github.actor }} -p ${"$"}{{ secrets.GITHUB_TOKEN }} ghcr.io`,
  'sshpass -p "$DEPLOY_PASSWORD" ssh deploy@host',
  "if (password !== confirmation.password2Value) return",
  "set_password: CURLOPT_PROXYPASSWORD2",
  "login('ada', 'lovelace1815')",
  "password: 5up3r53cr37",
  "password: LoginForm1234",
  'password: "BaseForm1234"',
  "password: passwordField2",
  'password: "alice123"',
  "postgres://app:Password123@db.northwind.dev/app",
];

test("placeholders, names and test values are no alarm", () => {
  const scanner = createScanner();
  for (const line of harmless) {
    assert.equal(scanner.scan(commit, change(`${line}\n`, `+${line}\n-x\n`)), undefined, line);
  }
});

test("comments that switch scanners off are not obeyed", () => {
  const { line } = plantSecrets(1, 1)[0]!;
  const switched = `// secretlint-disable\n${line} // secretlint-disable-line\n`;
  assert.equal(createScanner().scan(commit, change(switched, "-a\n+b\n"))?.reason, "secret");
});

test("the detail says kind and place, never the secret", () => {
  const planted = plantSecrets(3, 1);
  for (const { line } of planted) {
    const detail = createScanner().scan(commit, change(null, `+${line}\n`))?.detail ?? "";
    assert.match(detail, /^[\w ]+ in the diff$/);
    assert.ok(!detail.includes(line.slice(-20)));
  }
});

test("what is remembered of contents changes no verdict", () => {
  const { line } = plantSecrets(4, 1)[0]!;
  const [first, second, third, fourth] = [nextId(), nextId(), nextId(), nextId()];
  const steps: readonly ChangeFacts[] = [
    { ...change("a\n", "-a\n+b\n"), oldOid: first, newOid: second },
    { ...change("b\n", `-b\n+${line}\n`), oldOid: second, newOid: third },
    { ...change(`${line}\n`, `-${line}\n+c\n`), oldOid: third, newOid: fourth },
    { ...change("c\n", "-c\n+d\n"), oldOid: fourth, newOid: first },
  ];
  const together = createScanner();
  for (const step of steps) {
    assert.deepEqual(together.scan(commit, step), createScanner().scan(commit, step));
  }
});
