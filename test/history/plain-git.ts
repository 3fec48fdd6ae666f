// For tests only: git as anyone would start it, without the flags and the environment that `src/history/git.ts` gives
// it. What the product says is compared with it, and every trap is shown to close on it.

import { spawn } from "node:child_process";

export type PlainPlace = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
};

export type PlainResult = { readonly code: number; readonly stdout: Buffer; readonly stderr: string };

/** Runs git to its end; a failure is a result. Nothing of the caller's environment reaches it but PATH. */
export function tryGit(args: readonly string[], { cwd, env, input }: PlainPlace): Promise<PlainResult> {
  const child = spawn("git", args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: "/nonexistent", TZ: "UTC", GIT_TERMINAL_PROMPT: "0", ...env },
  });
  const chunks: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, stdout: Buffer.concat(chunks), stderr }));
  });
}

/** Runs git, wants it to succeed, and returns what it printed. */
export async function plainGit(args: readonly string[], place: PlainPlace): Promise<string> {
  return (await plainBytes(args, place)).toString();
}

/** The same, as bytes. */
export async function plainBytes(args: readonly string[], place: PlainPlace): Promise<Buffer> {
  const { code, stdout, stderr } = await tryGit(args, place);
  if (code !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
  return stdout;
}
