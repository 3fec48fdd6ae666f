// A command line becomes typed values, by way of the option table. `--max-steps` and `--max_steps` are the same
// option; every boolean has `--x` and `--no-x`. Parsing is commander's; what a mistake is called is ours.

import { resolve } from "node:path";
import { CommanderError, Command as Parser } from "commander";
import { UsageError } from "../base/errors.ts";
import { defaultsOf, nearestName, type Option, type OptionTable, parseValue } from "../base/options.ts";
import { COMMON, type Command } from "./command.ts";
import { readConfig } from "./config.ts";
import { oursOf, spellingOf } from "./spellings.ts";

export const PROGRAM = "codefudge";

export type ParsedArguments = Readonly<Record<string, string | readonly string[] | undefined>>;

export type Parsed =
  | { readonly kind: "help" }
  | {
      readonly kind: "run";
      readonly args: ParsedArguments;
      readonly options: Readonly<Record<string, unknown>>;
      /** What was taken for something else than it was called. */
      readonly warnings: readonly string[];
    };

/** All options of a command: its own, then those of every command. */
export function optionsOf(command: Command): OptionTable {
  return { ...command.options, ...COMMON };
}

/** Reads what follows the command's name, and the file that --config names, from `cwd`; throws `UsageError`. */
export function parseCommand(command: Command, tokens: readonly string[], cwd: string): Parsed {
  const table = optionsOf(command);
  const given: Record<string, unknown> = {};
  const parser = createParser(table, given);
  const warnings: string[] = [];
  try {
    parser.parse(normalise(table, tokens, warnings), { from: "user" });
  } catch (error) {
    throw error instanceof CommanderError ? describeFailure(error, command) : error;
  }
  if (given.help) return { kind: "help" };
  const args = placeArguments(command, parser.args);
  const config = Object.hasOwn(table, "config") && typeof given.config === "string" ? given.config : null;
  const file = config === null ? { values: {}, warnings: [] } : readConfig(resolve(cwd, config), table);
  const said = { ...file.values, ...given };
  const options = { ...defaultsOf(table), ...command.instead?.(said), ...said };
  return { kind: "run", args, options, warnings: [...warnings, ...file.warnings] };
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
    if (option.type !== "strings") given[name] = parseValue(name, option, oursOf(name, text));
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

/**
 * Spells long options as the table does: `--max-steps=5` as `--max_steps=5`, other trainers' names as ours. Values and
 * what follows `--` stay.
 */
function normalise(table: OptionTable, tokens: readonly string[], warnings: string[]): string[] {
  const out: string[] = [];
  let isValue = false;
  let isEnd = false;
  let isPassedOver = false;
  for (const token of tokens) {
    if (isPassedOver && !token.startsWith("-")) {
      isPassedOver = false;
      continue;
    }
    isPassedOver = false;
    if (isEnd || isValue || !token.startsWith("-")) {
      out.push(token);
      isValue = false;
      continue;
    }
    const { spelled, needless } = respell(table, token, warnings);
    if (needless) {
      isPassedOver = needless === "with value";
      continue;
    }
    out.push(spelled);
    isEnd = token === "--";
    isValue = takesValue(table, spelled);
  }
  return out;
}

type Respelled = { readonly spelled: string; readonly needless?: "alone" | "with value" };

// An unknown option stays as it was written, for the message.
function respell(table: OptionTable, token: string, warnings: string[]): Respelled {
  const match = /^--(no[-_])?([^=]*)(.*)$/s.exec(token);
  if (!match) return { spelled: token };
  const [whole, no, name, rest] = match;
  const written = name!.replaceAll("-", "_");
  if (Object.hasOwn(table, written)) return { spelled: `--${no ? "no-" : ""}${written}${rest}` };
  // `no_` may be a part of the name, as in no_cuda.
  const foreign = [written, whole.slice(2).replace(/=.*$/s, "").replaceAll("-", "_")];
  const spelling = foreign.map((each) => spellingOf(each, table)).find((found) => found !== undefined);
  if (!spelling) return { spelled: token };
  warnings.push(spelling.warning);
  if (spelling.kind === "name") return { spelled: `--${no ? "no-" : ""}${spelling.name}${rest}` };
  return { spelled: token, needless: spelling.takesValue && rest === "" ? "with value" : "alone" };
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
