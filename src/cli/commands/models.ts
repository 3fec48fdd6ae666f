// codefudge models: which models this machine has, what they are, and which of them can be trained here.

import { existsSync } from "node:fs";
import { totalmem } from "node:os";
import { resolve } from "node:path";
import { adapterOptions, parseAdapter } from "../../adapters/options.ts";
import { UserError } from "../../base/errors.ts";
import { listModels, type StoredModel, sizeOf } from "../../weights/inventory.ts";
import { defineCommand } from "../command.ts";
import { hubOptions, storesOf } from "../model.ts";
import { type Described, describeModel } from "../steps/models.ts";
import { formatTable } from "../table.ts";
import { formatBytes, formatCount, formatLarge } from "../units.ts";

const COLUMNS = [
  { title: "model" },
  { title: "from" },
  { title: "type" },
  { title: "parameters", align: "right" },
  { title: "stored as" },
  { title: "on disk", align: "right" },
  { title: "context", align: "right" },
  { title: "to train", align: "right" },
  { title: "fits" },
] as const;

export const command = defineCommand({
  name: "models",
  summary: "Lists the models that this machine has, with what training an adapter on them takes",
  args: [
    {
      name: "model",
      help: "Paths, or names as they are listed",
      required: false,
      variadic: true,
      unset: "all in the caches of Hugging Face, LM Studio and Ollama",
    },
  ],
  options: {
    memory: {
      type: "bytes",
      default: null,
      help: "Memory that a run may have, such as 2GB",
      unset: "all that this machine has",
      least: 1,
    },
    adapter: adapterOptions.adapter,
  },
  examples: [
    ["models", "All that is here, by the name that --model takes"],
    ["models --memory 2GB", "Which of them can be trained in that"],
    ["models SmolLM2-135M.gguf", "One file or folder"],
  ],
  async run({ args, options, out, progress, env, cwd }) {
    const memory = options.memory ?? totalmem();
    const adapter = parseAdapter(options.adapter);
    const places = { stores: storesOf(env), cache: hubOptions(env).cache };
    const listed = listModels(places);
    const stored = args.model.length === 0 ? listed : args.model.map((text) => find(text, { cwd, listed }));
    const described = stored.map((one) => describeModel(one, { adapter, memory }));
    if (options.json) for (const one of described) out.json(one);
    else if (described.length === 0) {
      progress.line(
        `No models in ${[places.cache, ...places.stores.lmStudio, ...places.stores.ollama].join(", ")}; train --model org/name fetches one`,
      );
    } else for (const line of formatTable(COLUMNS, described.map(rowOf))) out.line(line);
    return 0;
  },
});

/** A path goes before a name, as with --model. */
function find(text: string, { cwd, listed }: { cwd: string; listed: readonly StoredModel[] }): StoredModel {
  const path = resolve(cwd, text);
  if (existsSync(path)) return { name: text, where: "path", path, bytes: sizeOf(path) };
  const found = listed.find(({ name }) => name === text || name === `${text}:latest`);
  if (found !== undefined) return found;
  throw new UserError(
    `Expected a path, or a name that codefudge models lists, found "${text}"; train --model ${text} fetches it if the hub has it`,
  );
}

function rowOf(model: Described): string[] {
  const { name, where } = model;
  if ("reason" in model) return [name, where, "", "", "", formatBytes(model.bytes), "", "", model.reason];
  const { model_type, parameters, storage, max_position_embeddings, needs, fits } = model.usable;
  return [
    name,
    where,
    model_type,
    formatLarge(parameters),
    storage,
    formatBytes(model.bytes),
    formatCount(max_position_embeddings),
    formatBytes(needs),
    fits === null ? "no" : `${fits.max_length} tokens`,
  ];
}
