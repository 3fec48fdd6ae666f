// Words and names against chance.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "../base/random.ts";
import { strangeness } from "./letters.ts";

test("words and names in code have less than none", () => {
  for (const name of [
    "password",
    "correcthorsebatterystaple",
    "getElementsByTagName",
    "application/x-www-form-urlencoded",
    "SCREAMING_SNAKE_CASE_NAME",
    "XMLHttpRequestEventTarget",
    "user.settings.accessTokenLifetime",
  ]) {
    assert.ok(strangeness(name) < 0, `${name}: ${strangeness(name)}`);
  }
});

test("of random letters and digits 98 in 100 have more than five", () => {
  const random = createRandom(5);
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const draw = () => Array.from({ length: 16 }, () => letters[random.below(letters.length)]).join("");
  const values = Array.from({ length: 5000 }, draw);
  assert.ok(values.filter((value) => strangeness(value) > 5).length > 4900);
});

test("a turn counts, the capital of a word does not", () => {
  assert.equal(strangeness("Name"), strangeness("name"));
  assert.equal(strangeness("na7me") - strangeness("na") - strangeness("me"), 3);
  assert.equal(strangeness("na$me") - strangeness("na") - strangeness("me"), 1.5);
  assert.equal(strangeness("na_me") - strangeness("na") - strangeness("me"), 0);
  assert.equal(strangeness(""), 0);
});
