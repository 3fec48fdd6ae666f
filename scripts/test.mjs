// npm test [-- TEXT…]: sets up, builds, and runs the tests whose path contains one of the texts (all of them without).
// The files are listed here because Node 20 expands no patterns. The last line counts what passed and failed.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, listFiles, ROOT, runNode, runVerb, SetupError } from "./setup.mjs";

await runVerb(async () => {
  const wanted = process.argv.slice(2);
  const files = ["src", "test", "scripts", "bench"]
    .flatMap((folder) => listFiles(ROOT, folder))
    .filter((path) => /\.test\.(ts|mjs)$/.test(path))
    .filter((path) => wanted.length === 0 || wanted.some((text) => path.includes(text)));
  if (files.length === 0)
    throw new SetupError(`Expected a test file containing ${wanted.join(" or ")}, found none`);
  await ensureInstalled();
  const built = await tryBuild();
  const code = await runTests(files);
  return built ? code : 1;
});

// Tests run from the sources, so that a type error elsewhere does not stop work on one folder; it still fails the run.
async function tryBuild() {
  try {
    await ensureBuilt();
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    return false;
  }
}

async function runTests(files) {
  const folder = mkdtempSync(join(tmpdir(), "codefudge-test-"));
  const counts = join(folder, "counts");
  try {
    const started = Date.now();
    const code = await runNode([
      "--import=tsx",
      "--test",
      `--test-concurrency=${availableParallelism()}`,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${new URL("count.mjs", import.meta.url)}`,
      `--test-reporter-destination=${counts}`,
      ...files,
    ]);
    console.log(`\n${readFileSync(counts, "utf8")} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
