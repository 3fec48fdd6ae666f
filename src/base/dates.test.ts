// Dates of options.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDate } from "./dates.ts";

test("a day is all of its seconds, a time is one", () => {
  assert.deepEqual(parseDate("since", "1970-01-02"), { first: 86400, last: 172799 });
  assert.deepEqual(parseDate("since", "1970-01-01T00:01"), { first: 60, last: 60 });
  assert.deepEqual(parseDate("since", "1970-01-01T01:00:05+01:00"), { first: 5, last: 5 });
});

test("what is no date is said with the option's name", () => {
  for (const text of ["", "yesterday", "2021-02-31", "2021-13-01", "2021-6-1", "1623", "2021-06-01T25:00"]) {
    assert.throws(() => parseDate("since", text), { name: "UsageError", message: /--since, found "/ }, text);
  }
});
