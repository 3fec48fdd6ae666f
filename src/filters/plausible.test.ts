// What looks like a secret by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { isChosenPassword, isFilling, isPassword, isPlaceholder, isRandom } from "./plausible.ts";

test("nearly every random token is random, and few names in code are", () => {
  const random = createRandom(3);
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const tokens = Array.from({ length: 2000 }, () =>
    Array.from({ length: 24 }, () => letters[random.below(letters.length)]).join(""),
  );
  assert.ok(tokens.filter(isRandom).length >= 1990);
  const names = [
    ...[
      "createReadStreamFromBuffer2",
      "application/x-www-form-urlencoded",
      "TokenKind.Identifier2Expression",
    ],
    ...["2021-06-01T12:00:00.000Z", "550e8400-e29b-41d4-a716-446655440000", "node_modules.cache.version12"],
    ...["__REACT_DEVTOOLS_GLOBAL_HOOK__1", "SCREAMING_SNAKE_CASE_NAME_2", "12345678901234567890"],
  ];
  assert.deepEqual(names.filter(isRandom), []);
});

test("placeholders of both kinds", () => {
  for (const value of [
    "xxxxxxxxxxxx",
    "{{TOKEN}}",
    "<token>",
    "aaaaaaaaaaaa",
    "123456789012",
    "abcdefghijkl",
    "$TOKEN",
  ]) {
    assert.ok(isFilling(value), value);
  }
  for (const value of ["changeme", "your-key-here1", "my-password-1", "s3cr3t-value9"]) {
    assert.ok(isPlaceholder(value), value);
    assert.ok(!isPassword(value), value);
  }
  for (const value of ["Tr8$kd92mQ", "zq81xk04vb", "QmZrTkWpLxVn"]) assert.ok(isPassword(value), value);
  for (const value of ["short1", "correcthorse", "with space 12", "engineering1"])
    assert.ok(!isPassword(value), value);
});

test("what people make of words, numbers and signs", () => {
  for (const value of ["Copper1989!", "GardenDragon671", "garden@7794", "P4ssWinter#33", "Winter2019!!"]) {
    assert.ok(isChosenPassword(value), value);
  }
  for (const value of [
    ...["garden7794", "Password1!", "P@ssw0rd#12", "Test@1987", "admin@1987", "Hello@2020", "HmacSha256"],
    ...[
      "LoginForm1234",
      "user@1987",
      "Winter 1989!",
      "Example1989!",
      "AesGcmSize256",
      "garden-7794",
      "Copper!",
    ],
  ]) {
    assert.ok(!isChosenPassword(value), value);
  }
});
