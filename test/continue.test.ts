// Continuing a run on the commits that came since: what is new is trained, a share of the old is trained again, other
// old examples only show whether they are forgotten; and what may not be continued is refused.

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readExamples } from "../src/dataset/store.ts";
import { git } from "./repository.ts";
import { createWorkshop, listFiles, run, type Workshop } from "./tiny.ts";

const NEW = 25;
const SHORT = ["--max_length", "256", "--max_steps", "3", "--threads", "1"];

let shop: Workshop;

const inShop = (tokens: readonly string[]) => run(tokens, { cwd: shop.repository });
const fileOf = (name: string, file: string) => join(shop.repository, ".codefudge/runs", name, file);
const commitsOf = (name: string) =>
  new Set(readFileSync(fileOf(name, "commits.txt"), "utf8").split("\n").filter(Boolean));
const manifestOf = (name: string) => JSON.parse(readFileSync(fileOf(name, "run.json"), "utf8"));

async function works(tokens: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inShop(tokens);
  assert.equal(code, 0, stderr);
  return stdout;
}

before(async () => {
  shop = await createWorkshop(70);
  const head = (await git(["rev-parse", "HEAD"], { cwd: shop.repository })).trim();
  await git(["update-ref", "refs/heads/main", `${head}~${NEW}`], { cwd: shop.repository });
  await works(["history"]);
  await works(["train", "--model", shop.model, ...SHORT]);
  await git(["update-ref", "refs/heads/main", head], { cwd: shop.repository });
  await works(["history"]);
});

after(() => shop.dispose());

test("new commits and a share of the old are trained, at a rate of their own", async () => {
  const before = commitsOf("tiny");
  const stdout = await works(["train", "--continue_from", "tiny", "--json", ...SHORT]);
  const { examples, options, base } = manifestOf("tiny-continued");
  const counts = { fresh: 0, old: 0 };
  for (const { commit } of readExamples(shop.dataset, "train"))
    counts[before.has(commit) ? "old" : "fresh"]++;
  assert.ok(counts.fresh > 10 && counts.old > 10);
  assert.equal(examples.old, Math.round(counts.fresh / 3), "a quarter of all");
  assert.equal(examples.train, counts.fresh + examples.old);
  assert.equal(options.learning_rate, 0.25 * manifestOf("tiny").options.learning_rate);
  assert.equal(base, manifestOf("tiny").base);
  const events = stdout.split("\n").filter((line) => line.startsWith('{"type":"validated"'));
  assert.ok(events.length >= 2);
  for (const event of events) assert.ok(JSON.parse(event).older > 0, event);
  const after = commitsOf("tiny-continued");
  assert.ok([...before].every((commit) => after.has(commit)));
  assert.ok(after.size > before.size);
});

test("what was continued starts where the earlier run ended, and that one stays as it is", async () => {
  const files = listFiles(fileOf("tiny", ""));
  const bytes = readFileSync(fileOf("tiny", "adapter_model.safetensors"));
  await works(["train", "--continue_from", "tiny", "--run", "still", "--learning_rate", "0", ...SHORT]);
  assert.ok(readFileSync(fileOf("still", "adapter_model.safetensors")).equals(bytes));
  assert.deepEqual(listFiles(fileOf("tiny", "")), files);
});

test("the same command again finds it finished; no share at all trains only what is new", async () => {
  await works(["train", "--continue_from", "tiny", "--run", "again", ...SHORT]);
  assert.doesNotMatch(
    await works(["train", "--continue_from", "tiny", "--run", "again", "--json", ...SHORT]),
    /"type":"step"/,
  );
  await works(["train", "--continue_from", "tiny", "--run", "only-new", "--old_share", "0", ...SHORT]);
  assert.equal(manifestOf("only-new").examples.old, 0);
});

test("refused: nothing new, another base, options of another adapter, a share of all", async () => {
  const refuses = async (tokens: readonly string[], says: RegExp) => {
    const { code, stderr } = await inShop(["train", "--quiet", ...tokens, ...SHORT]);
    assert.notEqual(code, 0);
    assert.match(stderr, says);
  };
  await refuses(["--continue_from", "tiny-continued"], /found none among the training examples; commit more/);
  const other = join(shop.folder, "other");
  cpSync(shop.model, other, { recursive: true });
  const weights = join(other, "model.safetensors");
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(weights, bytes);
  const moved = ["--continue_from", "tiny", "--run", "moved"];
  await refuses(
    [...moved, "--model", other],
    /Expected the base that .*tiny was trained on, .* found other weights in/,
  );
  await refuses([...moved, "--r", "4"], /found --r; leave them out/);
  await refuses([...moved, "--old_share", "1"], /below 1 for --old_share, found 1/);
  await refuses(["--continue_from", "nothing"], /Expected a run in .*nothing, found none; name one of/);
});
