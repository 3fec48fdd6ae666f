// npm run check: sets up, then types, format and lint, sizes, imports and maps; see scripts/check/main.ts.

import { ensureInstalled, runNode, runVerb } from "./setup.mjs";

await runVerb(async () => {
  await ensureInstalled();
  return runNode(["--import=tsx", "scripts/check/main.ts"]);
});
