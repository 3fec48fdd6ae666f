// npm run check, after setup: every check runs even when one before it fails; one line each, then what it found.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../setup.mjs";
import { checkApi } from "./api.ts";
import { checkImports } from "./imports.ts";
import { checkMaps } from "./maps.ts";
import { reference } from "./reference.ts";
import { checkSizes } from "./sizes.ts";

type Check = { readonly name: string; run(): string[] | Promise<string[]> };

const CHECKS: readonly Check[] = [
  { name: "types", run: () => runTool("typescript/bin/tsc", ["--noEmit"]) },
  {
    name: "format and lint",
    run: () =>
      runTool("@biomejs/biome/bin/biome", [
        "check",
        "--error-on-warnings",
        "--diagnostic-level=warn",
        "--max-diagnostics=none",
        "--colors=off",
      ]),
  },
  { name: "sizes", run: () => checkSizes(ROOT) },
  { name: "imports", run: () => checkImports(ROOT) },
  { name: "maps", run: async () => [...checkMaps(ROOT, await reference()), ...checkApi(ROOT)] },
];

let failed = 0;
for (const check of CHECKS) {
  const started = performance.now();
  const problems = await collect(check);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${problems.length === 0 ? "ok    " : "FAILED"}  ${check.name.padEnd(16)} ${seconds.padStart(5)} s`,
  );
  for (const problem of problems) console.log(`        ${problem}`);
  if (problems.length > 0) failed++;
}
console.log(
  failed === 0
    ? `${CHECKS.length} checks passed`
    : `${failed} of ${CHECKS.length} checks failed (npm run fix mends format and some lint)`,
);
process.exitCode = failed === 0 ? 0 : 1;

async function collect(check: Check): Promise<string[]> {
  try {
    return await check.run();
  } catch (error) {
    return [`could not run: ${(error as Error).stack}`];
  }
}

function runTool(script: string, args: readonly string[]): string[] {
  const result = spawnSync(process.execPath, [join(ROOT, "node_modules", script), ...args], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (result.status === 0) return [];
  return `${result.stdout}${result.stderr}`.split("\n").filter((line) => line.trim() !== "");
}
