// npm run fix: formats everything and applies the safe fixes of the linter.

import { ensureInstalled, runNode, runVerb } from "./setup.mjs";

await runVerb(async () => {
  await ensureInstalled();
  return runNode(["node_modules/@biomejs/biome/bin/biome", "check", "--write", ...process.argv.slice(2)]);
});
