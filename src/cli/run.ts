// From a command line to an exit code, inside any process: it touches nothing but what it is given.
// 0 done, 1 failed, 2 the command line is wrong, 3 no change could be proven, 130 interrupted.

import { isAbort, UsageError, UserError } from "../base/errors.ts";
import { nearestName } from "../base/options.ts";
import type { Command, Context } from "./command.ts";
import { COMMANDS, loadCommands } from "./commands.ts";
import { renderHelp, renderTopHelp } from "./help.ts";
import { createOutput, type Sink } from "./output.ts";
import { askHelp, didYouMean, type Parsed, PROGRAM, parseCommand } from "./parse.ts";
import { createProgress } from "./progress.ts";

export type World = {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly version: string;
};

/** Runs one command line (without `node` and the program) and returns its exit code; never throws. */
export async function runCli(tokens: readonly string[], world: World): Promise<number> {
  try {
    const [name, ...rest] = tokens;
    if (name === "--version" || name === "-V") return print(world, `${world.version}\n`);
    if (name === undefined) {
      world.stderr.write(renderTopHelp(await loadCommands()));
      return 2;
    }
    if (["--help", "-h", "help"].includes(name)) return await printHelp(world, rest[0]);
    return await runCommand({ command: await findCommand(name), tokens: rest, world });
  } catch (error) {
    return describeError(error, world);
  }
}

/** Runs a command that is at hand; tests use it for commands of their own. */
export async function runCommand(call: {
  command: Command;
  tokens: readonly string[];
  world: World;
}): Promise<number> {
  const { command, tokens, world } = call;
  try {
    const parsed = parseCommand(command, tokens, world.cwd);
    if (parsed.kind === "help") return print(world, renderHelp(command));
    const context = createContext(parsed, world);
    for (const warning of parsed.warnings) context.progress.warn(warning);
    try {
      const code = await command.run(context);
      // A command that ends early without saying so was still interrupted.
      world.signal.throwIfAborted();
      return code;
    } finally {
      context.progress.finish();
    }
  } catch (error) {
    return describeError(error, world);
  }
}

async function printHelp(world: World, name: string | undefined): Promise<number> {
  if (name === undefined || name.startsWith("-")) return print(world, renderTopHelp(await loadCommands()));
  return print(world, renderHelp(await findCommand(name)));
}

async function findCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load) return (await load()).command;
  const names = Object.keys(COMMANDS);
  throw new UsageError(
    `Expected one of the commands ${names.join(", ")}, found "${name}": ${didYouMean(nearestName(name, names))}To see what they do, ${askHelp()}`,
  );
}

function createContext(parsed: Parsed & { kind: "run" }, world: World): Context {
  const options = parsed.options as Context["options"];
  return {
    args: parsed.args as Context["args"],
    options,
    out: createOutput(world.stdout),
    progress: createProgress({ sink: world.stderr, env: world.env, quiet: options.quiet }),
    input: world.stdin,
    signal: world.signal,
    env: world.env,
    cwd: world.cwd,
    version: world.version,
  };
}

function describeError(error: unknown, world: World): number {
  const say = (text: string) => void world.stderr.write(`${text}\n`);
  // Ctrl-C reaches git as well: what then looks like a broken repository is the interruption too.
  if (
    isAbort(error) ||
    (world.signal.aborted && (error === world.signal.reason || error instanceof UserError))
  ) {
    say("Interrupted");
    return 130;
  }
  if (error instanceof UsageError) {
    say(error.message);
    return 2;
  }
  if (error instanceof UserError) {
    say(error.message);
    return 1;
  }
  say(error instanceof Error ? (error.stack ?? String(error)) : `Thrown: ${String(error)}`);
  say(
    `This is a bug in ${PROGRAM}; please report it with the text above and what \`${PROGRAM} doctor\` prints`,
  );
  return 1;
}

function print(world: World, text: string): number {
  world.stdout.write(text);
  return 0;
}
