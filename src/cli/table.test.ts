import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPairs, formatTable } from "./table.ts";

test("columns are as wide as their widest cell", () => {
  const columns = [{ title: "arm" }, { title: "exact", align: "right" as const }];
  assert.deepEqual(
    formatTable(columns, [
      ["untrained", "0.0 %"],
      ["…", "100.0 %"],
    ]),
    ["arm          exact", "---------  -------", "untrained    0.0 %", "…          100.0 %"],
  );
});

test("pairs are aligned and leave no space at the end", () => {
  assert.deepEqual(
    formatPairs([
      ["a", "1"],
      ["long", ""],
    ]),
    ["a     1", "long"],
  );
});
