// Input that cannot work: each kind ends with its exit code, nothing on stdout, one sentence on stderr that names what
// was expected, what was found and what to do next, and leaves what was there as it was.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSample } from "../src/history/sample.ts";
import { ggufBytes, llamaMetadata } from "./gguf-bytes.ts";
import { git, makeRepository } from "./repository.ts";
import { createWorkshop, listFiles, type Outcome, run, type Workshop } from "./tiny.ts";

const SHORT = ["--max_length", "256", "--max_steps", "2", "--per_device_train_batch_size", "4"];

let shop: Workshop;
let folder = "";

before(async () => {
  shop = await createWorkshop();
  folder = shop.folder;
  const made = await inShop(["train", "--model", shop.model, ...SHORT]);
  assert.equal(made.code, 0, made.stderr);
});

after(() => shop.dispose());

function inShop(tokens: readonly string[], input?: string | Buffer): Promise<Outcome> {
  const stdin = (async function* () {
    if (input !== undefined) yield Buffer.from(input);
  })();
  return run([...tokens, "--quiet"], { cwd: shop.repository, stdin });
}

/** What must survive: the dataset, the finished run, the base. */
function digest(): string {
  const hash = createHash("sha256");
  for (const root of [join(shop.repository, ".codefudge"), shop.model]) {
    for (const name of listFiles(root)) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  }
  return hash.digest("hex");
}

type Refusal = { readonly code: 1 | 2; readonly says: readonly RegExp[]; readonly input?: string | Buffer };

async function refuses(tokens: readonly string[], { code, says, input }: Refusal): Promise<void> {
  const earlier = digest();
  const outcome = await inShop(tokens, input);
  assert.deepEqual([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
  assertSentence(outcome.stderr);
  for (const pattern of says) assert.match(outcome.stderr, pattern);
  assert.equal(digest(), earlier, "what was there is as it was");
}

/** `Expected A, found B; do C`: one line, no stack, no full stop. */
function assertSentence(stderr: string): void {
  assert.match(stderr, /^Expected [^\n]+, found [^\n]+[;:,] [^\n]*[^\n.]\n$/);
}

describe("repositories", () => {
  test("none there", async () => {
    const path = join(folder, "nowhere");
    for (const verb of ["history", "cook"]) {
      await refuses([verb, path], { code: 1, says: [/found no such folder; check the path/] });
      assert.ok(!existsSync(path), "and none is made");
    }
  });

  test("a folder without one", async () => {
    const path = join(folder, "plain");
    mkdirSync(path);
    await refuses(["cook", path], {
      code: 1,
      says: [/found a folder without one; give the path of a clone/],
    });
    assert.deepEqual(listFiles(path), []);
  });

  test("an empty one", async () => {
    const path = await makeRepository(join(folder, "empty"), []);
    await refuses(["history", path], { code: 1, says: [/found an empty repository; commit something/] });
    assert.ok(!existsSync(join(path, ".codefudge")));
  });

  test("one commit", async () => {
    const path = await makeRepository(join(folder, "one"), [{ files: { a: "1\n" } }]);
    for (const verb of ["history", "cook"]) {
      await refuses([verb, path], {
        code: 1,
        says: [/at least 3 commits .* found 1; take a repository with more/],
      });
    }
    assert.ok(!existsSync(join(path, ".codefudge/dataset")));
  });

  test("commits without text", async () => {
    const steps = [1, 2, 3, 4].map((i) => ({ files: { "a.bin": Buffer.from([0, i, 0, 255]) } }));
    const path = await makeRepository(join(folder, "binary"), steps);
    await refuses(["history", path], {
      code: 1,
      says: [/found 0 examples to learn from and 0 to measure on;/],
    });
  });

  test("a shallow clone of one commit is refused, one of many works and says so", async () => {
    const path = join(folder, "shallow");
    const head = await createSample(path, { commits: 40 });
    const middle = (await git(["rev-parse", "HEAD~30"], { cwd: path })).trim();
    const cut = async (id: string) => writeFileSync(join(path, ".git/shallow"), `${id}\n`);
    await cut(head);
    await refuses(["history", path], {
      code: 1,
      says: [/found 0 beside 1 at the edge .*; this clone is shallow, run "git fetch --unshallow"/],
    });
    await cut(middle);
    const { code, stdout } = await inShop(["history", path]);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^history +cut off: this is a shallow clone; "git fetch --unshallow" brings the rest$/m,
    );
    assert.match(stdout, /^commits +31 /m);
  });
});

describe("models", () => {
  const train = (model: string) => ["train", "--model", model, "--run", "other", ...SHORT];
  const sizes = { hidden: 32, heads: 2, keyValueHeads: 1, blocks: 1 };

  function writeGguf(name: string, metadata: Record<string, string | number>): string {
    const path = join(folder, name);
    const tensors = [{ name: "token_embd.weight", storage: "F32", shape: [300, 32] }] as const;
    writeFileSync(path, ggufBytes({ metadata, tensors }));
    return path;
  }

  function copyModel(name: string): string {
    const path = join(folder, name);
    cpSync(shop.model, path, { recursive: true });
    return path;
  }

  test("none there", () =>
    refuses(train(join(folder, "missing.gguf")), { code: 1, says: [/found nothing there: check the path/] }));

  test("a truncated GGUF file", async () => {
    const path = writeGguf("cut.gguf", llamaMetadata(sizes));
    const whole = readFileSync(path);
    for (const length of [3, 20, 200, whole.length - 64]) {
      writeFileSync(path, whole.subarray(0, length));
      await refuses(train(path), { code: 1, says: [/cut\.gguf/] });
    }
  });

  test("another architecture, as GGUF and as folder", async () => {
    const metadata = { ...llamaMetadata(sizes), "general.architecture": "mamba" };
    await refuses(train(writeGguf("mamba.gguf", metadata)), { code: 1, says: [/found mamba/] });
    const path = copyModel("bloom");
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as object;
    writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, model_type: "bloom" }));
    await refuses(train(path), {
      code: 1,
      says: [/found model_type "bloom"; choose another base with --model/],
    });
  });

  test("no tokenizer", async () => {
    const path = copyModel("mute");
    rmSync(join(path, "tokenizer.json"));
    await refuses(train(path), { code: 1, says: [/Expected tokenizer\.json, .* save the tokenizer there/] });
  });

  test("weights cut short, weights of another shape, no weights", async () => {
    const path = copyModel("damaged");
    const weights = join(path, "model.safetensors");
    const whole = readFileSync(weights);
    writeFileSync(weights, whole.subarray(0, whole.length - 100));
    await refuses(train(path), { code: 1, says: [/model\.safetensors/] });
    rmSync(weights);
    await refuses(train(path), { code: 1, says: [/found none: put its weights beside config.json/] });
  });

  test("a base that changed since its adapter was trained", async () => {
    const weights = join(shop.model, "model.safetensors");
    const whole = readFileSync(weights);
    const other = Buffer.from(whole);
    other[other.length - 1]! ^= 1;
    writeFileSync(weights, other);
    try {
      const says = [/found other weights in .*tiny; put the former back, or train again/];
      await refuses(["suggest", "-m", "Bump", "package.json"], { code: 1, says });
      await refuses(["evaluate", "--samples", "1"], { code: 1, says });
      await refuses(["train", "--model", shop.model, ...SHORT], {
        code: 1,
        says: [/found another base model; add --run/],
      });
    } finally {
      writeFileSync(weights, whole);
    }
  });
});

describe("places", () => {
  test("an output folder that cannot be written", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "mine\n");
    const says = [/found a file where a folder is needed; give another folder/];
    await refuses(["history", "--output", join(file, "data")], { code: 1, says });
    await refuses(["train", "--model", shop.model, "--run", join(file, "run"), ...SHORT], { code: 1, says });
    assert.equal(readFileSync(file, "utf8"), "mine\n");
  });

  test("a disk that is full", async (context) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=24k", "none", disk], { stdio: "ignore" });
    } catch {
      context.skip("mounting a small disk is not permitted here");
      return;
    }
    try {
      writeFileSync(join(disk, "mine"), "1");
      const says = [/found no space left on the disk; free some and run this again/];
      await refuses(["history", "--output", join(disk, "data")], { code: 1, says });
      await refuses(["train", "--model", shop.model, "--run", join(disk, "run"), ...SHORT], {
        code: 1,
        says,
      });
      // What is left is what the next run goes on from.
      const left = listFiles(disk).filter((name) => !/plan\.json$|^data\/journal$/.test(name));
      assert.deepEqual(left, ["mine"]);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("no workspace, no dataset, no run, a run that has only begun", async () => {
    const bare = await makeRepository(join(folder, "fresh"), [{ files: { a: "1\n" } }]);
    for (const [tokens, pattern] of [
      [["suggest", "-m", "Bump", "a"], /found none; run codefudge cook there, which makes one/],
      [["evaluate"], /found none; run codefudge cook there/],
      [["train"], /found no manifest\.json; run codefudge history to make one/],
    ] as const) {
      const { code, stdout, stderr } = await run([...tokens, "--quiet"], { cwd: bare });
      assert.deepEqual([code, stdout], [1, ""]);
      assertSentence(stderr);
      assert.match(stderr, pattern);
    }
    await refuses(["evaluate", "tony"], { code: 1, says: [/found none; name one of tiny/] });
    const begun = join(shop.repository, ".codefudge/runs/begun");
    mkdirSync(begun);
    cpSync(join(begun, "../tiny/plan.json"), join(begun, "plan.json"));
    await refuses(["evaluate", "begun"], {
      code: 1,
      says: [/found one that has only begun; .* goes on where/],
    });
    rmSync(begun, { recursive: true });
  });

  test("a run of that name with other options, or another dataset", async () => {
    await refuses(["train", "--model", shop.model, ...SHORT, "--max_steps", "3", "--r", "4"], {
      code: 1,
      says: [/found --max_steps 3 instead of 2, --r 4 instead of 8; add --run NAME .* or --restart/],
    });
    const dataset = join(shop.repository, ".codefudge/data2");
    const made = await inShop(["history", "--max_commits", "50", "--output", dataset]);
    assert.equal(made.code, 0, made.stderr);
    await refuses(["train", dataset, "--model", shop.model, ...SHORT], {
      code: 1,
      says: [
        /made with, found another dataset \(the history has changed\); add --continue_from tiny .*--run NAME/,
      ],
    });
  });
});

describe("requests", () => {
  const write = (name: string, content: string | Buffer) =>
    writeFileSync(join(shop.repository, name), content);
  const asked = (path: string) => ["suggest", "-m", "Bump version", path];

  test("a message without an end, and a line without an end", async () => {
    write("short.txt", "short\n");
    const message = "Bump version ".repeat(400);
    const says = [/a message that leaves room for files in the 192 tokens .*; give a shorter message/];
    await refuses(["suggest", "-m", message, "short.txt"], { code: 1, says });
    await refuses(["forward"], { code: 1, says, input: `${message}<pad>short.txt<pad>\n\nshort\n` });
    write("wide.txt", "wide ".repeat(2000));
    const none = [
      /a line fits in the 192 tokens .* found none in wide\.txt; give a shorter message, or a larger/,
    ];
    await refuses(asked("wide.txt"), { code: 1, says: none });
  });

  test("no message, an empty one, an option that does not exist, a value that cannot be", async () => {
    const cases: [string[], RegExp][] = [
      [["suggest", "package.json"], /found none; give -m "MESSAGE"/],
      [["suggest", "-m", " ", "package.json"], /found none; give -m "MESSAGE"/],
      [["suggest", "-m", "Bump"], /found no PATH; run `codefudge suggest --help`/],
      [["suggest", "--mesage", "x"], /found --mesage: did you mean --message\?/],
      [["train", "--gradient_accumulation_steps", "0"], /a whole number of at least 1 .* found "0"/],
      [["train", "--time", "0s"], /a duration of at least 1 for --time, found "0s"/],
      [["train", "--run", ""], /found ""; give a name such as wide/],
    ];
    for (const [tokens, pattern] of cases) {
      const outcome = await inShop(tokens);
      assert.deepEqual([outcome.code, outcome.stdout], [2, ""], outcome.stderr);
      assert.match(outcome.stderr, /^Expected [^\n]+, found [^\n]+[^\n.]\n$/);
      assert.match(outcome.stderr, pattern);
    }
  });

  test("what is no text, no file, or outside", async () => {
    write("image.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1]));
    write("nul.txt", "text\0text\n");
    const notText = [/Expected UTF-8 text in .*, found other bytes; only text/];
    await refuses(asked("image.png"), { code: 1, says: notText });
    await refuses(asked("nul.txt"), { code: 1, says: notText });
    await refuses(asked("src"), { code: 1, says: [/found something else; name files/] });
    for (const path of ["../outside.txt", "..", ".git/config", "."]) {
      await refuses(asked(path), {
        code: 1,
        says: [/Expected a file inside .*; run codefudge suggest in the file's/],
      });
    }
  });

  test("stdin that is no .file", async () => {
    const says = [/Expected a \.file on stdin/];
    for (const input of ["", "hello\n", "message\n<pad><pad>\n\n", "<pad>a\nb<pad>\n"]) {
      await refuses(["forward"], { code: 1, says, input });
    }
    await refuses(["forward"], { code: 1, says: [/found other bytes/], input: Buffer.from([255, 254, 0]) });
    const input = "Bump\n<pad>../../etc/passwd<pad>\n\nroot\n";
    await refuses(["forward"], { code: 1, says: [/Expected a path inside a repository/], input });
  });

  test("no change that can be proven is exit code 3, with its reason, and nothing on stdout", async () => {
    const asking = [...asked("package.json"), "--max_new_tokens", "8"];
    const input = "Bump version\n<pad>package.json<pad>\n\n{}\n";
    for (const { code, stdout, stderr } of [
      await inShop(asking),
      await inShop(["forward", "--max_new_tokens", "8"], input),
    ]) {
      assert.deepEqual([code, stdout], [3, ""], stderr);
      assert.match(stderr, /^No change for package\.json: [^\n]+\n$/);
    }
  });
});
