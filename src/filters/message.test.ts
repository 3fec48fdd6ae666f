// The weights of messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { messageRows, weighMessage } from "./message.ts";

const weighed: Readonly<Record<number, readonly string[]>> = {
  0.25: [
    ...[
      "",
      "\n\nSigned-off-by: A <a@b.c>",
      "fix",
      "Fixed typos!",
      "wip: parser",
      "fixup! Add x",
      "Update README.md",
    ],
    ...[
      "Merge branch 'a' into b",
      "4.13.2",
      "Release 0.14.0",
      "v3.0.0-rc.7",
      "chore: release v1.2.3",
      "fixes #123",
    ],
    ...["docs(deno): update README", "minor cleanup", "#12", "a1b2c3d4e5", "refactor"],
  ],
  0.5: ["Benchmarks", "regenerated docs", "Bump lodash from 4.17.20 to 4.17.21", "semi-colons"],
  0.75: [
    ...["Added parseCookie()", "include -> use", "more benchmarks"],
    "fix\n\nThe parser took a comment for the end of the file.",
  ],
  1: [
    ...[
      "Fix range of empty files",
      "Added static file support [#17]",
      "auto set Content-Type in res.attachment",
    ],
    ...["Generate ETags for all request responses", "修复解析器在空文件上的错误", "update send to 0.2.0"],
    ...[
      "feat(client): generate paths from hashes",
      "Revert to the old parser",
      "merge params of parent routers",
    ],
  ],
};

test("messages are weighed, none is worth nothing", () => {
  for (const [weight, messages] of Object.entries(weighed)) {
    for (const message of messages)
      assert.equal(weighMessage(message), Number(weight), JSON.stringify(message));
  }
  assert.ok(messageRows.every(({ weight }) => weight >= 0.25 && weight < 1));
});
