// npm run bench -- NAME: sets up, builds, and measures; see bench/main.ts. Only the result goes to stdout.

import { ensureBuilt, ensureInstalled, runNode, runVerb } from "./setup.mjs";

await runVerb(async () => {
  await ensureInstalled();
  await ensureBuilt();
  return runNode(["--import=tsx", "bench/main.ts", ...process.argv.slice(2)]);
});
