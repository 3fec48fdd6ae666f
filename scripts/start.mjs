// npm start: sets up, builds, and cooks the sample repository; extra arguments go to `codefudge cook`.

import { ensureBuilt, ensureInstalled, runNode, runVerb } from "./setup.mjs";

await runVerb(async () => {
  await ensureInstalled();
  await ensureBuilt();
  return runNode(["dist/cli/main.js", "cook", "--sample", ...process.argv.slice(2)]);
});
