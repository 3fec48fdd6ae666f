// What is looked for where, and what the environment says to it.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { playHub } from "../../test/hub-server.ts";
import { hubOptions, locateModel } from "./model.ts";
import type { Progress } from "./progress.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-model-"));
after(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

test("variables mean what they mean to huggingface_hub", () => {
  const HOME = join(root, "home");
  const plain = hubOptions({ HOME });
  assert.deepEqual(plain, {
    endpoint: "https://huggingface.co",
    cache: join(HOME, ".cache/huggingface/hub"),
    token: undefined,
    offline: false,
    timeout: 30,
  });
  const cacheOf = (env: Record<string, string>) => hubOptions({ HOME, ...env }).cache;
  assert.equal(cacheOf({ XDG_CACHE_HOME: "/x" }), "/x/huggingface/hub");
  assert.equal(cacheOf({ XDG_CACHE_HOME: "/x", HF_HOME: "~/hf" }), join(HOME, "hf/hub"));
  assert.equal(cacheOf({ HF_HOME: "/hf", HF_HUB_CACHE: "/c" }), "/c");
  const tokenOf = (env: Record<string, string>) => hubOptions({ HOME, ...env }).token;
  write("home/.cache/huggingface/token", "hf_file\n");
  assert.equal(tokenOf({}), "hf_file");
  assert.equal(tokenOf({ HF_TOKEN: "hf_env" }), "hf_env");
  assert.equal(tokenOf({ HF_TOKEN_PATH: write("other", " hf_other ") }), "hf_other");
  assert.equal(tokenOf({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }), undefined);
  for (const [text, offline] of [
    ["1", true],
    ["yes", true],
    ["0", false],
    ["", false],
  ] as const) {
    assert.equal(hubOptions({ HOME, HF_HUB_OFFLINE: text }).offline, offline);
  }
  assert.equal(hubOptions({ HOME, HF_ENDPOINT: "http://mirror:8080/" }).endpoint, "http://mirror:8080");
  assert.throws(() => hubOptions({ HOME, HF_ENDPOINT: "ftp://x" }), {
    name: "UserError",
    message: /HF_ENDPOINT to be an address/,
  });
});

function seeker(env: Record<string, string>) {
  const lines: string[] = [];
  const say = (text: string) => void lines.push(text);
  const progress: Progress = { line: say, warn: say, update: () => {}, finish: () => {} };
  return { lines, seeker: { env, cwd: root, progress, signal: new AbortController().signal } };
}

test("a path comes first, then what other programs have, then the hub; each is said", async () => {
  const HOME = join(root, "home2");
  write("home2/.lmstudio/models/org/lm/m.gguf", "GGUF");
  const hub = await playHub({
    "org/far": {
      commit: "a".repeat(40),
      files: [{ name: "m.gguf", bytes: Buffer.from("GGUF far"), large: true }],
    },
  });
  const { lines, seeker: who } = seeker({ HOME, HF_ENDPOINT: hub.endpoint, HF_HOME: join(root, "hf") });
  const here = write("org/here", "");
  assert.equal(await locateModel("org/here", who), here);
  assert.equal(await locateModel("nothing.gguf", who), join(root, "nothing.gguf"));
  assert.equal(await locateModel("a/b.gguf", who), join(root, "a/b.gguf"));
  assert.deepEqual(lines, []);
  assert.equal(await locateModel("org/lm", who), join(HOME, ".lmstudio/models/org/lm/m.gguf"));
  assert.match(lines.at(-1)!, /^Taking org\/lm from LM Studio: /);
  const fetched = join(root, "hf/hub/models--org--far/snapshots", "a".repeat(40), "m.gguf");
  assert.equal(await locateModel("org/far", who), fetched);
  assert.equal(lines.at(-1), `Fetching org/far from ${hub.endpoint}: 1 file, 8 B`);
  const asked = hub.requests.length;
  assert.equal(await locateModel("org/far", who), fetched);
  assert.equal(hub.requests.length, asked);
  await hub.close();
});
