// docs/cli.md, rendered from the commands themselves. Run with `--write` it writes the pages that come from the code
// (`npm run docs`): this one, and docs/api.md.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadCommands } from "../../src/cli/commands.ts";
import { renderReference } from "../../src/cli/help.ts";
import { ROOT } from "../setup.mjs";
import { API_PAGE, renderApi } from "./api.ts";

/** The text docs/cli.md should have. */
export async function reference(): Promise<string> {
  return renderReference(await loadCommands());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href && process.argv.includes("--write")) {
  writeFileSync(join(ROOT, "docs", "cli.md"), await reference());
  const api = renderApi(ROOT);
  if (api !== undefined) writeFileSync(join(ROOT, API_PAGE), api);
  console.error(
    `docs/cli.md: written\n${API_PAGE}: ${api === undefined ? "has no mark, left alone" : "written"}`,
  );
}
