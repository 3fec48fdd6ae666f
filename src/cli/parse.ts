// A command line becomes typed values, by way of the option table. `--max-steps` and `--max_steps` are the same
// option; every boolean has `--x` and `--no-x`. Parsing is commander's; what a mistake is called is ours.

import { CommanderError, Command as Parser } from "commander";
import { UsageError } from "../base/errors.ts";
import { defaultsOf, nearestName, type Option, type OptionTable, parseValue } from "../base/options.ts";
import { COMMON, type Command } from "./command.ts";

export const PROGRAM = "codefudge";

export type ParsedArguments = Readonly<Record<string, string | readonly string[] | undefined>>;

export type Parsed =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly args: ParsedArguments;
      readonly options: Readonly<Record<string, unknown>>;
    };

/** All options of a command: its own, then those of every command. */
export function optionsOf(command: Command): OptionTable {
  return { ...command.options, ...COMMON };
}

/** Reads what follows the command's name; throws `UsageError`. */
export function parseCommand(command: Command, tokens: readonly string[]): Parsed {
  const table = optionsOf(command);
  const given: Record<string, unknown> = {};
  const parser = createParser(table, given);
  try {
    parser.parse(normalise(table, tokens), { from: "user" });
  } catch (error) {
    throw error instanceof CommanderError ? describeFailure(error, command) : error;
  }
  if (given.help) return { kind: "help" };
  const args = placeArguments(command, parser.args);
  return { kind: "run", args, options: { ...defaultsOf(table), ...given } };
}

/** The command to run for help, as the end of a message. */
export function askHelp(command?: Command): string {
  return `run \`${[PROGRAM, ...(command ? [command.name] : []), "--help"].join(" ")}\``;
}

/** `did you mean --x? ` or nothing. */
export function didYouMean(near: string | undefined): string {
  return near === undefined ? "" : `did you mean ${near}? `;
}

/** The arguments as a usage line shows them: `MESSAGE [PATH…]`. */
export function argumentWords(command: Command): string[] {
  return command.args.map((argument) => {
    const word = argument.name.toUpperCase() + (argument.variadic ? "…" : "");
    return argument.required ? word : `[${word}]`;
  });
}

function createParser(table: OptionTable, given: Record<string, unknown>): Parser {
  const parser = new Parser()
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .helpOption(false)
    .showSuggestionAfterError(false)
    .argument("[arguments...]")
    .option("-h, --help")
    .action(() => {});
  parser.on("option:help", () => {
    given.help = true;
  });
  for (const [name, option] of Object.entries(table)) addOption({ parser, given, name, option });
  return parser;
}

type Adding = {
  readonly parser: Parser;
  readonly given: Record<string, unknown>;
  readonly name: string;
  readonly option: Option;
};

// What is given is collected from commander's events, because only they tell `--no-x` from a default.
function addOption({ parser, given, name, option }: Adding): void {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  if (option.type === "boolean") {
    parser.option(`${short}--${name}`).option(`--no-${name}`);
    parser.on(`option:${name}`, () => {
      given[name] = true;
    });
    parser.on(`option:no-${name}`, () => {
      given[name] = false;
    });
    return;
  }
  parser.option(`${short}--${name} <value>`);
  parser.on(`option:${name}`, (text: string) => {
    if (option.type !== "strings") given[name] = parseValue(name, option, text);
    else given[name] = [...((given[name] as string[] | undefined) ?? []), ...splitList(name, option, text)];
  });
}

function splitList(name: string, option: Option, text: string): string[] {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items.map((item) => String(parseValue(name, option, item)));
}

/** Spells long options as the table does: `--max-steps=5` as `--max_steps=5`. Values and what follows `--` stay. */
function normalise(table: OptionTable, tokens: readonly string[]): string[] {
  const out: string[] = [];
  let isValue = false;
  let isEnd = false;
  for (const token of tokens) {
    if (isEnd || isValue || !token.startsWith("-")) {
      out.push(token);
      isValue = false;
      continue;
    }
    const spelled = token.startsWith("--") ? respell(table, token) : token;
    out.push(spelled);
    isEnd = token === "--";
    isValue = takesValue(table, spelled);
  }
  return out;
}

// An unknown option stays as it was written, for the message.
function respell(table: OptionTable, token: string): string {
  const [, no, name, rest] = /^--(no[-_])?([^=]*)(.*)$/s.exec(token)!;
  const spelled = name!.replaceAll("-", "_");
  return Object.hasOwn(table, spelled) ? `--${no ? "no-" : ""}${spelled}${rest}` : token;
}

function takesValue(table: OptionTable, token: string): boolean {
  const entry = Object.entries(table).find(
    ([name, option]) => token === `--${name}` || token === `-${option.short}`,
  );
  return entry !== undefined && entry[1].type !== "boolean";
}

function placeArguments(command: Command, words: readonly string[]): ParsedArguments {
  const usage = argumentWords(command).join(" ") || "no arguments";
  const last = command.args.at(-1);
  const placed: Record<string, string | readonly string[] | undefined> = {};
  command.args.forEach((argument, index) => {
    if (argument.required && words[index] === undefined) {
      throw new UsageError(`Expected ${usage}, found no ${argument.name.toUpperCase()}; ${askHelp(command)}`);
    }
    placed[argument.name] = argument.variadic ? words.slice(index) : words[index];
  });
  const extra = last?.variadic ? undefined : words[command.args.length];
  if (extra !== undefined) {
    throw new UsageError(`Expected ${usage}, found also "${extra}"; ${askHelp(command)}`);
  }
  return placed;
}

/** What commander found wrong, as our sentence. */
function describeFailure(error: CommanderError, command: Command): UsageError {
  const flag = /'(?:.*?)(--?[^\s'=]+)/.exec(error.message)?.[1] ?? "";
  if (error.code === "commander.unknownOption") {
    const table = optionsOf(command);
    const names = Object.entries(table).flatMap(([name, option]) =>
      option.type === "boolean" ? [`--${name}`, `--no-${name}`] : [`--${name}`],
    );
    const near = didYouMean(nearestName(flag, [...names, "--help"]));
    return new UsageError(
      `Expected an option of \`${command.name}\`, found ${flag}: ${near}To see them all, ${askHelp(command)}`,
    );
  }
  if (error.code === "commander.optionMissingArgument") {
    const name = /--([\w-]+) </.exec(error.message)?.[1] ?? flag;
    return new UsageError(`Expected a value after --${name}, found none; ${askHelp(command)}`);
  }
  return new UsageError(`${error.message.replace(/^error: /, "")}; ${askHelp(command)}`);
}
