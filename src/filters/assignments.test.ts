// What stands behind a name: found in the forms of many languages, and told from what a person writes there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assignedAnchors, hasAssignment } from "./assignments.ts";

const PASSWORD = ["Xq7Lm2", "Rv9TzB"].join("");
const KEY = ["k3Jx9QvT2mZr", "8WbN5cLp7YdH"].join("");

test("passwords of twelve characters in the forms of settings and languages", () => {
  for (const line of [
    `<password>${PASSWORD}</password>`,
    `<Password><![CDATA[${PASSWORD}]]></Password>`,
    `<entry key="db.password">${PASSWORD}</entry>`,
    `<add key='DbPassword' value='${PASSWORD}' />`,
    `password = "${PASSWORD}"`,
    `password=${PASSWORD}`,
    `password: ${PASSWORD}&z1 # of staging`.replace(" # of staging", ""),
    `PASSWORD ?= ${PASSWORD}`,
    `:password => '${PASSWORD}',`,
    `$config['smtp']['pass'] = '${PASSWORD}';`,
    `password = f"${PASSWORD}"`,
    `var pwd = @"${PASSWORD}";`,
    `let password = String::from("${PASSWORD}");`,
    `os.getenv("DB_PASSWORD") or "${PASSWORD}"`,
    `process.env.DB_PASSWORD ?? '${PASSWORD}'`,
    `if (password === "${PASSWORD}") {`,
    `user.password("${PASSWORD}")`,
    `-storepass ${PASSWORD} -alias a`,
    `CREATE ROLE app LOGIN PASSWORD '${PASSWORD}';`,
    `The password is ${PASSWORD}`,
    `password is: ${PASSWORD}`,
  ]) {
    assert.ok(hasAssignment(line), line);
    assert.ok(
      assignedAnchors.some((anchor) => line.toLowerCase().includes(anchor)),
      line,
    );
  }
});

test("keys are longer, and their names are many", () => {
  for (const name of [
    "api_key",
    "apiKey",
    "X-Api-Key",
    "SECRET",
    "client_secret",
    "AUTH_KEY",
    "encryption-key",
  ]) {
    for (const line of [`${name}: ${KEY}`, `${name}="${KEY}"`, `<${name}>${KEY}</${name}>`]) {
      assert.ok(hasAssignment(line), line);
    }
    assert.ok(!hasAssignment(`${name}: ${PASSWORD}`), name);
  }
});

test("UUIDs are keys, those of manuals are not", () => {
  assert.ok(hasAssignment(`CLIENT_SECRET=${["5b3e19c4", "8d72-4f06-9ae1", "c07d4b6a2f95"].join("-")}`));
  assert.ok(!hasAssignment("CLIENT_SECRET=550e8400-e29b-41d4-a716-446655440000"));
  assert.ok(!hasAssignment("CLIENT_SECRET=00000000-0000-0000-0000-000000000000"));
});

test("code, places for values, and sentences are none", () => {
  for (const line of [
    "password = request.body.password2",
    "password = hash(value, salt1)",
    "password: Joi.string().min(8)",
    "const token = createTokenFromBuffer2(bytes);",
    "token: TokenKind.Identifier2Expression",
    "<password>{{ vault_password_2 }}</password>",
    '<label for="password">Password2Label</label>',
    "password=$DATABASE_PASSWORD_2",
    "The token CURLOPT_XOAUTH2_BEARER of version 7.33",
    "secretName: database-credentials-v2",
    `testPassword = "${PASSWORD}"`,
    'password: "pa55w0rd2"',
    'password: "Passw0rd!23"',
  ]) {
    assert.ok(!hasAssignment(line), line);
  }
});

test("a long line of names takes no longer than its length", () => {
  const start = performance.now();
  for (const unit of ["passwordname=", "password=", "<password a", "token token: ", '"pass" "']) {
    hasAssignment(unit.repeat(10_000));
  }
  assert.ok(performance.now() - start < 5000);
});
