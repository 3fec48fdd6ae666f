// codefudge doctor: what this machine and installation are like; the text to paste into a report of a problem.

import { existsSync } from "node:fs";
import { arch, availableParallelism, cpus, freemem, homedir, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { gitVersion } from "../../history/git.ts";
import { describeRuntime } from "../../runtime/doctor.ts";
import { type Context, defineCommand } from "../command.ts";
import { formatPairs } from "../table.ts";
import { formatBytes } from "../units.ts";

type Fact = {
  readonly name: string;
  readonly ok: boolean;
  readonly value: string;
};

export const command = defineCommand({
  name: "doctor",
  summary: "Shows whether this machine has what is needed, to paste into a report of a problem",
  args: [],
  options: {},
  examples: [
    ["doctor", "Everything, one line each; exit code 1 when something needed is missing"],
    ["doctor --json", "The same as one JSON object"],
  ],
  async run({ options, out, env, cwd, version }) {
    const facts = [
      { name: "codefudge", ok: true, value: version },
      ...machineFacts(),
      await runtimeFact(),
      await tokenizerFact(),
      await gitFact(),
      ...folderFacts({ env, cwd }),
    ];
    const ok = facts.every((fact) => fact.ok);
    if (options.json) {
      out.json({ ok, ...Object.fromEntries(facts.map(({ name, ...fact }) => [name, fact])) });
    } else {
      const rows = facts.map((fact) => [fact.name, fact.ok ? fact.value : `MISSING: ${fact.value}`] as const);
      for (const line of formatPairs(rows)) out.line(line);
    }
    return ok ? 0 : 1;
  },
});

function machineFacts(): Fact[] {
  const major = Number(process.versions.node.split(".")[0]);
  return [
    {
      name: "node",
      ok: major >= 20,
      value: `${process.versions.node}${major >= 20 ? "" : ", expected 20.11 or newer"}`,
    },
    { name: "platform", ok: true, value: `${type()} ${release()} ${arch()}` },
    {
      name: "processor",
      ok: true,
      value: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
    },
    {
      name: "memory",
      ok: true,
      value: `${formatBytes(totalmem())}, ${formatBytes(freemem())} free`,
    },
  ];
}

async function runtimeFact(): Promise<Fact> {
  const runtime = await describeRuntime();
  if (!runtime.ok) return { name: "onnxruntime", ok: false, value: firstLine(runtime.reason) };
  const backends = runtime.value.backends.map(({ name, bundled }) =>
    bundled ? name : `${name} (not bundled)`,
  );
  return { name: "onnxruntime", ok: true, value: `${runtime.value.version}: ${backends.join(", ")}` };
}

async function tokenizerFact(): Promise<Fact> {
  try {
    await import("tokenizers");
    return { name: "tokenizers", ok: true, value: "loads" };
  } catch (error) {
    return { name: "tokenizers", ok: false, value: firstLine((error as Error).message) };
  }
}

async function gitFact(): Promise<Fact> {
  try {
    return { name: "git", ok: true, value: await gitVersion() };
  } catch (error) {
    return { name: "git", ok: false, value: firstLine((error as Error).message) };
  }
}

function folderFacts({ env, cwd }: Pick<Context, "env" | "cwd">): Fact[] {
  const cache = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  return [
    folderFact("runs", join(cwd, ".codefudge")),
    folderFact("model cache", env.HF_HUB_CACHE ?? join(cache, "hub")),
  ];
}

function folderFact(name: string, path: string): Fact {
  return { name, ok: true, value: existsSync(path) ? path : `${path} (not there yet)` };
}

function firstLine(text: string): string {
  return text.split("\n")[0]!;
}
