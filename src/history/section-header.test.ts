// Whether a header that says anything else than its raw record, less of it or more, is told from the true one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type HeaderRecord, readStated, statedOf } from "./section-header.ts";

const [one, two, none] = ["1", "2", "0"].map((digit) => digit.repeat(40)) as [string, string, string];
const modified = { oldMode: "100644", newMode: "100644", oldOid: one, newOid: two, statusAndScore: "M" };
const cases: readonly (readonly [HeaderRecord, readonly string[]])[] = [
  [modified, [`index ${one}..${two} 100644`]],
  [{ ...modified, newMode: "100755" }, ["old mode 100644", "new mode 100755", `index ${one}..${two}`]],
  [{ ...modified, newOid: one, statusAndScore: "R100" }, ["similarity index 100%"]],
  [{ ...modified, statusAndScore: "R085" }, ["similarity index 85%", `index ${one}..${two} 100644`]],
  [
    { ...modified, oldMode: "000000", oldOid: none, statusAndScore: "A" },
    ["new file mode 100644", `index ${none}..${two}`],
  ],
  [
    { ...modified, newMode: "000000", newOid: none, statusAndScore: "D" },
    ["deleted file mode 100644", `index ${one}..${none}`],
  ],
];

test("what a header states is what its record has, all of it and nothing else", () => {
  for (const [record, lines] of cases) {
    assert.equal(statedOf(record), lines.length, record.statusAndScore);
    for (const line of lines) {
      assert.equal(readStated(record, line), 1, line);
      const digit = line.search(/\d/);
      const other = line.slice(0, digit) + (Number(line[digit]) ^ 4) + line.slice(digit + 1);
      assert.equal(readStated(record, other), undefined, other);
    }
    assert.equal(readStated(record, "--- a/index 1"), 0);
  }
});
