// npm run docs: writes the generated pages; `npm run check` holds them.

import { ensureInstalled, runNode, runVerb } from "./setup.mjs";

await runVerb(async () => {
  await ensureInstalled();
  return runNode(["--import=tsx", "scripts/check/reference.ts", "--write"]);
});
