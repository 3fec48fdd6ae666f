// Examples packed into ids: everything is counted, nothing cut, and what the answers say of the prompts gives the
// commits' files byte for byte. One token a byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTES } from "../../test/bytes.ts";
import { randomEdit, randomText } from "../../test/texts.ts";
import { createRandom, type Random } from "../base/random.ts";
import { applyPatch } from "../patch/apply.ts";
import { createPatch } from "../patch/create.ts";
import { printPatch } from "../patch/print.ts";
import type { Example } from "./example.ts";
import { type FitRule, type Fitting, fitAsk, type Packed, renderFitting } from "./fitting.ts";
import { formats, patchOf } from "./format.ts";
import type { Rendered } from "./render.ts";

type Item = { readonly rendered: Rendered; readonly packed: Packed };
type Change = Parameters<typeof createPatch>[0];

const RULE: FitRule = {
  tokenizer: BYTES,
  format: formats.region,
  max_length: 1000,
  max_files: 4,
  purpose: "measure",
};

async function fit(examples: Iterable<Example>, rule: Partial<FitRule> = {}): Promise<Fitting<Item>> {
  const fitting = renderFitting(examples, { ...RULE, ...rule }, (rendered, packed) => ({ rendered, packed }));
  for (;;) {
    const next = await fitting.next();
    if (next.done) return next.value;
  }
}

function exampleOf(change: Change, commit = "c", message = "Change it"): Example {
  const path = change.from ?? change.path;
  const diff = printPatch(createPatch(change));
  return { message, path, old: change.old, diff, commit, parent: null, time: 0, author: "A", weight: 1 };
}

const LINES = Array.from({ length: 200 }, (_, i) => `line ${i}`);

/** A long file whose line at a place becomes another. */
function longChange(at: number, to = "changed"): Change {
  const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;
  return { path: "long", old: text(LINES), new: text(LINES.with(at, to)) };
}

test("the files of a commit share a request, those of two do not", async () => {
  const change = (path: string): Change => ({ path, old: "a\n", new: "b\n" });
  const examples = [
    exampleOf(change("x"), "1"),
    exampleOf(change("y"), "1"),
    { ...exampleOf(change("x"), "2"), weight: 0.5 },
    exampleOf(change("y"), "2"),
  ];
  const { items, changes } = await fit(examples);
  assert.equal(changes, 4);
  assert.deepEqual(
    items.map(({ packed }) => packed.examples),
    [examples.slice(0, 2), examples.slice(2)],
  );
  assert.deepEqual(
    items.map(({ rendered }) => rendered.weight),
    [1, 0.75],
  );
  const [first] = items;
  const { ids, promptLength } = first!.rendered;
  assert.equal(await BYTES.decode([...ids.subarray(promptLength)]), "@file x\n@1,1\nb\n@file y\n@1,1\nb\n");
  assert.equal((await fit(examples, { max_files: 1 })).items.length, 4);
});

test("a change outside its window is pointed at in training and counted in measuring", async () => {
  const near = exampleOf(longChange(3), "near");
  const far = exampleOf(longChange(150), "far");
  const measured = await fit([near, far]);
  assert.deepEqual([measured.items.length, measured.outside, measured.windowed], [1, 1, 1]);
  const trained = await fit([near, far], { purpose: "train" });
  assert.deepEqual([trained.items.length, trained.outside, trained.windowed, trained.focused], [2, 0, 2, 1]);
});

test("changes that are pointed at are not always in the middle, and always in the same place", async () => {
  const places = async () => {
    const examples = Array.from({ length: 12 }, (_, i) => exampleOf(longChange(150), `commit ${i}`));
    const { items } = await fit(examples, { purpose: "train" });
    return items.map(({ packed }) => {
      const { shown } = packed.request.files[0]!;
      const piece = shown === "all" ? undefined : shown.find(({ end }) => end > 150);
      return (150 - piece!.start) / (piece!.end - piece!.start);
    });
  };
  const first = await places();
  assert.deepEqual(await places(), first);
  assert.ok(Math.min(...first) < 0.4 && Math.max(...first) > 0.6, first.join());
});

test("the prompt of a long answer gets shorter in training; measured, it is too long", async () => {
  const example = exampleOf(longChange(3, "x".repeat(400)));
  const measured = await fit([example]);
  assert.deepEqual([measured.items.length, measured.tooLong], [0, 1]);
  const trained = await fit([example], { purpose: "train" });
  assert.equal(trained.items.length, 1);
  assert.ok(trained.items[0]!.rendered.ids.length <= 1000);
  const hopeless = exampleOf(longChange(3, "x".repeat(900)));
  assert.equal((await fit([hopeless], { purpose: "train" })).tooLong, 1);
});

test("answers that are too long together are divided", async () => {
  const examples = ["a", "b", "c"].map((path) => exampleOf({ path, old: null, new: "x".repeat(400) }));
  const { items, tooLong } = await fit(examples);
  assert.equal(tooLong, 0);
  assert.deepEqual(
    items.map(({ packed }) => packed.examples.map(({ path }) => path)),
    [["a", "b"], ["c"]],
  );
});

test("what the format has no words for is counted, the rest of its commit is not", async () => {
  const mode = { ...exampleOf({ path: "f", old: "a\n", new: "b\n" }) };
  const diff = mode.diff.replace("--- ", "old mode 100644\nnew mode 100755\n--- ");
  const examples = [{ ...mode, diff }, exampleOf({ path: "g", old: "a\n", new: "b\n" })];
  const region = await fit(examples);
  assert.deepEqual([region.items.length, region.inexpressible], [1, 1]);
  const raw = await fit(examples, { format: formats.diff });
  assert.deepEqual([raw.items.length, raw.inexpressible], [1, 0]);
});

test("use packs as measuring does", async () => {
  const examples = [longChange(3), { path: "b", old: "b\n", new: "c\n" }].map((one) => exampleOf(one));
  const { items } = await fit(examples);
  const change = examples.map(({ path, old }) => ({ path, old, focus: [] }));
  const requests = await fitAsk({ message: "Change it", change, context: [] }, { ...RULE, room: 750 });
  assert.deepEqual(
    requests,
    items.map(({ packed }) => packed.request),
  );
});

test("a message or a line that leaves no room is refused in words", async () => {
  const ask = (message: string, old: string) =>
    fitAsk({ message, change: [{ path: "f", old, focus: [] }], context: [] }, { ...RULE, room: 300 });
  await assert.rejects(ask("long ".repeat(100), "a\n"), {
    message:
      /^Expected a message that leaves room for files in the 300 tokens of a request, found 5\d\d with it; /,
  });
  await assert.rejects(ask("long ".repeat(1000), "a\n"), {
    message: /in the 300 tokens of a request, found 5000 characters; give a shorter message/,
  });
  await assert.rejects(ask("m", "wide ".repeat(100)), {
    message: /^Expected a file of which a line fits in the 300 tokens of a request, found none in f; /,
  });
});

function randomCommit(random: Random, commit: string): Example[] {
  return Array.from({ length: 1 + random.below(5) }, (_, i) => {
    const old = randomText(random, random.below(3) === 0 ? 120 : 20);
    const edited = randomEdit(random, old);
    const path = `file ${i}`;
    const next = edited === old ? `first\n${old}` : edited;
    const changes: Change[] = [
      { path, old: null, new: next },
      { path, old, new: null },
      { path: `${path}b`, from: path, old, new: next },
      { path, old, new: next },
      { path, old, new: next },
      { path, old, new: next },
    ];
    return exampleOf(changes[random.below(changes.length)]!, commit, "line 3 and line 17, tab");
  });
}

for (const name of ["region", "diff"] as const) {
  for (const purpose of ["train", "measure"] as const) {
    test(`1,000 random commits, ${name}, ${purpose}: the answers give the commits' files`, async () => {
      const random = createRandom(11);
      const examples = Array.from({ length: 1000 }, (_, i) => randomCommit(random, `c${i}`)).flat();
      const format = formats[name];
      const fitting = await fit(examples, { format, purpose });
      const { items, changes, tooLong, outside, inexpressible } = fitting;
      assert.equal(changes, examples.length);
      const packed = items.flatMap((item) => item.packed.examples);
      assert.equal(packed.length + tooLong + outside + inexpressible, changes);
      assert.equal(new Set(packed).size, packed.length);
      for (const item of items) await assertGives(item, name);
      const several = items.filter((item) => item.packed.examples.length > 1).length;
      assert.ok(several > 100 && fitting.windowed > 30, `${several} ${fitting.windowed} ${items.length}`);
      assert.equal(fitting.focused > 20, purpose === "train");
    });
  }
}

async function assertGives({ rendered, packed }: Item, name: "region" | "diff"): Promise<void> {
  const { ids, promptLength } = rendered;
  assert.ok(ids.length <= RULE.max_length && promptLength <= 750);
  assert.equal(await BYTES.decode([...ids.subarray(0, promptLength)]), formats[name].prompt(packed.request));
  const changes = formats[name].read(await BYTES.decode([...ids.subarray(promptLength)]), packed.request);
  assert.ok(changes.ok, changes.ok ? "" : changes.reason);
  assert.equal(changes.value.length, packed.examples.length);
  for (const [i, example] of packed.examples.entries()) {
    const patch = patchOf(example);
    assert.ok(patch.ok);
    const wanted = applyPatch(patch.value, example.old);
    assert.deepEqual(
      [changes.value[i]!.path, changes.value[i]!.new],
      [patch.value.path, wanted.ok && wanted.value],
    );
  }
}
