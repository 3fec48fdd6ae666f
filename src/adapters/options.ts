// Adapters as people name them: a kind with options in brackets, such as `pfeiffer+inv` or `seq_bn[reduction_factor=8]`,
// and each option as one of its own. Names are those of PEFT and AdapterHub, both generations.

import { UsageError } from "../base/errors.ts";
import {
  defaultsOf,
  nearestName,
  type Option,
  type OptionTable,
  parseValue,
  type Values,
} from "../base/options.ts";
import type { AdapterConfig } from "./adapter.ts";
import { bottleneckConfig, bottleneckOptions, bottleneckPresets } from "./bottleneck-options.ts";
import { type Literal, parsePairs } from "./literal.ts";
import { loraConfig, loraOptions, loraPresets } from "./lora-options.ts";

const sharedOptions = {
  modules_to_save: {
    type: "strings",
    default: [],
    help: "Modules of the base that are trained whole beside the adapter, such as embed_tokens",
    value: "NAME",
    unset: "none",
  },
} as const satisfies OptionTable;

type Given = Readonly<Record<string, Option["default"] | Literal>>;

/** One kind as options see it: a table, what a name presets in it, and what the values make. */
type Family = {
  readonly table: OptionTable;
  readonly presets: Readonly<Record<string, object>>;
  readonly config: (values: Given, shared: Values<typeof sharedOptions>) => AdapterConfig;
};

const families: readonly Family[] = [
  { table: loraOptions, presets: loraPresets, config: loraConfig },
  { table: bottleneckOptions, presets: bottleneckPresets, config: bottleneckConfig },
];

/** Every name of a kind. */
export const adapterNames: readonly string[] = families.flatMap(({ presets }) => Object.keys(presets));

type Unset<T extends OptionTable> = {
  readonly [K in keyof T]: Omit<T[K], "default"> & { readonly default: null };
};

/** The same options, not given: what they are then, the kind says. */
function unset<T extends OptionTable>(table: T): Unset<T> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      { ...option, default: null, unset: option.unset ?? wordOf(option.default) },
    ]),
  ) as unknown as Unset<T>;
}

function wordOf(value: Option["default"]): string {
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** Flags: the kind, and every option of every kind; one that is not given is as the kind has it. */
export const adapterOptions = {
  adapter: {
    type: "string",
    default: "lora",
    help: `Kind of adapter, with options in brackets or not: ${adapterNames.join(", ")}`,
    value: "KIND",
  },
  ...unset(sharedOptions),
  ...unset(loraOptions),
  ...unset(bottleneckOptions),
} as const satisfies OptionTable;

export type AdapterOptions = Values<typeof adapterOptions>;

/** The adapter that options describe: a flag goes before what stands in the brackets. */
export function adapterConfig({ adapter, ...flags }: AdapterOptions): AdapterConfig {
  const given = Object.entries(flags).filter(([, value]) => value !== null);
  return parseAdapter(adapter, Object.fromEntries(given) as Given);
}

/** The adapter of a name with options in brackets; throws a `UsageError` that names what is wrong with it. */
export function parseAdapter(text: string, flags: Given = {}): AdapterConfig {
  const match = /^\s*([^[\]|]+?)\s*(?:\[(.*)\])?\s*$/s.exec(text);
  const family = families.find(({ presets }) => Object.hasOwn(presets, match?.[1] ?? ""));
  if (!match || !family) throw unknownKind(match?.[1] ?? text);
  const pairs = parsePairs(match[2] ?? "");
  if (!pairs.ok) {
    throw new UsageError(
      `Expected options such as [r=8] in the adapter "${text}", found that ${pairs.reason}`,
    );
  }
  const table: OptionTable = { ...family.table, ...sharedOptions };
  const written = Object.fromEntries(
    [...pairs.value].map(([name, value]) => [name, coerce(name, value, { table, kind: match[1]! })]),
  );
  const foreign = Object.keys(flags).filter((name) => !Object.hasOwn(table, name));
  if (foreign.length > 0) throw unknownOption(foreign[0]!, { table, kind: match[1]! });
  const values = { ...defaultsOf(table), ...family.presets[match[1]!], ...written, ...flags };
  const { modules_to_save } = values as Values<typeof sharedOptions>;
  return family.config(values, { modules_to_save });
}

function unknownKind(found: string): UsageError {
  const near = nearestName(found.replace(/\[.*/s, ""), adapterNames);
  return new UsageError(
    `Expected an adapter among ${adapterNames.join(", ")}, found "${found}"${near ? ` (did you mean ${near}?)` : ""}`,
  );
}

function unknownOption(name: string, { table, kind }: Place): UsageError {
  const near = nearestName(name, Object.keys(table));
  return new UsageError(
    `Expected options of the adapter ${kind} (${Object.keys(table).join(", ")}), found ${name}${near ? ` (did you mean ${near}?)` : ""}`,
  );
}

type Place = { readonly table: OptionTable; readonly kind: string };

/** A literal as the option's type; text goes the way that a flag's goes. */
function coerce(name: string, value: Literal, place: Place): Given[string] {
  const option = Object.hasOwn(place.table, name) ? place.table[name] : undefined;
  if (!option) throw unknownOption(name, place);
  if (option.type === "strings") return Array.isArray(value) ? value.map(String) : [String(value)];
  if (option.type === "boolean") {
    if (typeof value === "boolean") return value;
    throw new UsageError(`Expected true or false for ${name}, found ${JSON.stringify(value)}`);
  }
  if (value === null && option.default === null) return null;
  if (value !== null && typeof value === "object") return value;
  return parseValue(name, option, String(value));
}
