import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../base/errors.ts";
import { type Command, defineCommand } from "./command.ts";
import { runCli, runCommand, type World } from "./run.ts";

const echo = defineCommand({
  name: "echo",
  summary: "Prints what it was given",
  args: [
    { name: "first", help: "Something", required: true },
    { name: "rest", help: "More", required: false, variadic: true },
  ],
  options: {
    max_steps: { type: "integer", default: null, help: "How many" },
    time: { type: "duration", default: 1200, help: "How long" },
    memory: { type: "bytes", default: 2e9, help: "How much" },
    target_modules: { type: "strings", default: ["q_proj"], help: "Where" },
    shuffle: { type: "boolean", default: true, help: "Do not keep the order" },
    format: { type: "string", default: "region", choices: ["region", "diff"], help: "Of the answer" },
    message: { type: "string", default: null, short: "m", help: "What to do", value: "TEXT" },
  },
  examples: [["echo one", "Prints one"]],
  async run({ args, options, out }) {
    const steps: number | null = options.max_steps;
    const first: string = args.first;
    out.json({ ...options, first, rest: args.rest, steps });
    return 0;
  },
});

type Outcome = { code: number; stdout: string; stderr: string };

async function run(
  command: Command | undefined,
  tokens: string[],
  change: Partial<World> = {},
): Promise<Outcome> {
  const seen = { stdout: "", stderr: "" };
  const world: World = {
    stdout: { write: (text) => (seen.stdout += text) },
    stderr: { write: (text) => (seen.stderr += text) },
    stdin: (async function* () {})(),
    env: {},
    cwd: "/",
    signal: new AbortController().signal,
    version: "1.2.3",
    ...change,
  };
  const code = command ? await runCommand({ command, tokens, world }) : await runCli(tokens, world);
  return { code, ...seen };
}

async function parsed(...tokens: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(echo, tokens);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** A command whose whole work is to throw. */
function failing(error: unknown): Command {
  const run = () => Promise.reject(error);
  return defineCommand({ name: "fail", summary: "Fails", args: [], options: {}, examples: [], run });
}

test("defaults come from the table", async () => {
  assert.deepEqual(await parsed("a"), {
    ...{ max_steps: null, time: 1200, memory: 2e9, target_modules: ["q_proj"], shuffle: true },
    ...{ format: "region", message: null, json: false, quiet: false, first: "a", rest: [], steps: null },
  });
});

test("kebab and snake case are the same option, with a space or an equals sign", async () => {
  for (const spelling of [["--max-steps", "5"], ["--max_steps", "5"], ["--max-steps=5"], ["--max_steps=5"]]) {
    assert.equal((await parsed("a", ...spelling)).max_steps, 5, spelling.join(" "));
  }
});

test("values have units, lists are split and repeated, booleans have a no", async () => {
  const values = await parsed(
    "a",
    "--time=90s",
    "--memory",
    "800MB",
    "--no-shuffle",
    "-m",
    "--max-steps are-it",
  );
  assert.deepEqual(
    [values.time, values.memory, values.shuffle, values.message],
    [90, 8e8, false, "--max-steps are-it"],
  );
  const lists = await parsed("a", "--target-modules", "k_proj, v_proj", "--target_modules=o_proj");
  assert.deepEqual(lists.target_modules, ["k_proj", "v_proj", "o_proj"]);
});

test("a value is never respelled, nor what follows --", async () => {
  assert.equal((await parsed("a", "--message=--max-steps")).message, "--max-steps");
  assert.equal((await parsed("a", "--message", "--a-b")).message, "--a-b");
  assert.deepEqual((await parsed("--", "a", "--b-c")).rest, ["--b-c"]);
});

test("a wrong command line is one sentence, a suggestion, and exit code 2", async () => {
  const cases: [string[], RegExp][] = [
    [["a", "--max-step", "5"], /^Expected an option of `echo`, found --max-step: did you mean --max_steps\?/],
    [["a", "--no-shufle"], /found --no-shufle: did you mean --no-shuffle\?/],
    [["a", "--xyzzy"], /found --xyzzy: To see them all, run `codefudge echo --help`\n$/],
    [["a", "--max-steps", "many"], /^Expected a whole number for --max_steps, found "many"\n$/],
    [["a", "--max-steps"], /^Expected a value after --max_steps, found none/],
    [["a", "--format", "poem"], /^Expected one of region, diff for --format, found "poem"/],
    [[], /^Expected FIRST \[REST…\], found no FIRST; run `codefudge echo --help`\n$/],
  ];
  for (const [tokens, message] of cases) {
    const { code, stdout, stderr } = await run(echo, tokens);
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, ""], tokens.join(" "));
  }
});

test("too many arguments are a mistake", async () => {
  const { code, stderr } = await run(undefined, ["doctor", "here"]);
  assert.deepEqual(
    [code, stderr],
    [2, 'Expected no arguments, found also "here"; run `codefudge doctor --help`\n'],
  );
});

test("an unknown command is answered with the nearest", async () => {
  const { code, stderr } = await run(undefined, ["docter"]);
  assert.equal(code, 2);
  assert.match(stderr, /found "docter": did you mean doctor\? /);
  assert.equal((await run(undefined, ["constructor"])).code, 2);
});

test("exit codes: 1 for what a person must mend, 130 for an abort, 1 and a stack for a bug", async () => {
  const user = await run(failing(new UserError("Expected a repository, found none")), []);
  assert.deepEqual(user, { code: 1, stdout: "", stderr: "Expected a repository, found none\n" });
  const signal = AbortSignal.abort();
  assert.equal((await run(failing(signal.reason), [])).code, 130);
  const bug = await run(failing(new TypeError("x is not a function")), []);
  assert.equal(bug.code, 1);
  assert.match(bug.stderr, /TypeError: x is not a function\n\s+at .*run\.test\.ts[\s\S]*This is a bug/);
});

test("a command that returns after an abort was still interrupted", async () => {
  const { code, stderr } = await run(echo, ["a"], { signal: AbortSignal.abort() });
  assert.deepEqual([code, stderr], [130, "Interrupted\n"]);
});

test("help and version go to stdout, no command is a mistake", async () => {
  assert.deepEqual(await run(undefined, ["--version"]), { code: 0, stdout: "1.2.3\n", stderr: "" });
  assert.match((await run(undefined, ["--help"])).stdout, /^ {2}doctor {2}/m);
  const none = await run(undefined, []);
  assert.deepEqual([none.code, none.stdout], [2, ""]);
});

test("the help of a command shows its whole table", async () => {
  const { code, stdout } = await run(echo, ["--help"]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `Prints what it was given.

Usage
  codefudge echo [options] FIRST [REST…]

Arguments
  FIRST  Something
  REST   More

Options
  --max_steps N          How many
  --time TIME            How long (default 20m)
  --memory SIZE          How much (default 2GB)
  --target_modules LIST  Where (default q_proj)
  --no-shuffle           Do not keep the order
  --format TEXT          Of the answer (one of region, diff; default region)
  -m, --message TEXT     What to do

Every command
  --json       Results as JSON, one object a line
  -q, --quiet  No progress on stderr
  -h, --help   This text

Examples
  codefudge echo one
      Prints one
`,
  );
});
