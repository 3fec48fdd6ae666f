// Runs with adapters of several kinds, from the command line: trained, their files written and checked, merged alone
// and together, or refused with a sentence.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createWorkshop, run, type Workshop } from "../../../test/tiny.ts";
import { openBase } from "../../generation/base.ts";
import { workspaceOf } from "../workspace.ts";

let workshop: Workshop;
let folderOf: (name: string) => string;

const ADAPTERS = {
  plain: "lora[r=2, lora_dropout=0.1]",
  rows: "dora[r=2]",
  neck: "pfeiffer+inv[reduction_factor=4]",
  part: "lora[r=2, layers_to_transform=1, modules_to_save=lm_head]",
};

before(async () => {
  workshop = await createWorkshop(20);
  const { runs } = workspaceOf(workshop.repository);
  folderOf = (name) => join(runs, name);
  for (const [name, adapter] of Object.entries(ADAPTERS)) {
    const train = [
      "train",
      "--model",
      workshop.model,
      "--run",
      name,
      "--adapter",
      adapter,
      "--max_steps",
      "2",
    ];
    const { code, stderr } = await run([...train, "--max_length", "512"], { cwd: workshop.repository });
    assert.equal(code, 0, stderr);
  }
});
after(() => workshop.dispose());

const merge = (...tokens: string[]) => run(["merge", ...tokens], { cwd: workshop.repository });

test("each kind leaves its files", () => {
  for (const [name, files] of [
    ["plain", ["adapter_config.json", "adapter_model.safetensors"]],
    ["rows", ["adapter_config.json", "adapter_model.safetensors"]],
    ["neck", ["adapter_config.json", "pytorch_adapter.bin", "adapter.safetensors"]],
  ] as const) {
    for (const file of files) assert.ok(existsSync(join(folderOf(name), file)), `${name} ${file}`);
  }
});

test("a LoRA and a DoRA become models of the base's shapes, with other weights", async () => {
  const base = openBase(workshop.model);
  const name = "model.layers.1.mlp.up_proj.weight";
  for (const kind of ["plain", "rows", "part"]) {
    const { code, stderr } = await merge(kind, "-o", join(workshop.folder, kind));
    assert.equal(code, 0, stderr);
    const merged = openBase(join(workshop.folder, kind));
    assert.equal(merged.read(name).length, base.read(name).length);
    assert.notDeepEqual(merged.read(name), base.read(name));
    assert.equal(merged.tokenizer.vocabSize, base.tokenizer.vocabSize);
    merged.source.dispose();
  }
  base.source.dispose();
});

test("with a strength of 0 it is the base; a folder with files is not overwritten", async () => {
  const output = join(workshop.folder, "none");
  assert.equal((await merge("plain", "-o", output, "--adapter_scale", "0")).code, 0);
  const [base, merged] = [openBase(workshop.model), openBase(output)];
  const name = "model.layers.1.self_attn.q_proj.weight";
  assert.deepEqual(merged.read(name), base.read(name));
  for (const { source } of [base, merged]) source.dispose();
  const again = await merge("plain", "-o", output);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /Expected a new or empty folder, found files in/);
});

test("two runs in one model; what is no sum is refused", async () => {
  const output = join(workshop.folder, "both");
  const { code, stderr } = await merge("plain", "--combine", "plain=0.5", "-o", output);
  assert.equal(code, 0, stderr);
  assert.match(
    (await merge("plain", "--combine", "rows=0.5", "-o", `${output}2`)).stderr,
    /found one with DoRA/,
  );
  assert.match(
    (await merge("neck", "-o", `${output}3`)).stderr,
    /Expected a LoRA to merge, found a bottleneck/,
  );
  const bad = await merge("plain", "--combine", "=x", "-o", `${output}4`);
  assert.equal(bad.code, 2);
});
