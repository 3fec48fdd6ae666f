// Our side of the bench `generate`: a process that answers a short prompt to warm up, then measures, as JSON lines.

import { createRandom } from "../../src/base/random.ts";
import { Decoder } from "../../src/generation/decoder.ts";
import { createModel } from "../../src/models/table.ts";
import { openWeights } from "../../src/weights/open.ts";
import { createRandomModel, type RandomModel } from "./random.ts";
import { stopwatch } from "./stopwatch.ts";

type Job = {
  readonly model: string | null;
  readonly shape: string;
  readonly prompt: number;
  readonly tokens: number;
  readonly steps: number;
  readonly threads: number;
};

await main(JSON.parse(process.argv[2]!) as Job);

async function main({ model, shape, prompt, tokens, steps, threads }: Job): Promise<void> {
  const base = model === null ? createRandomModel(shape) : openModel(model);
  const capacity = prompt + tokens;
  const decoder = new Decoder({ ...base, adapter: null, capacity, device: { threads, arena: true } });
  const random = createRandom(1);
  const draw = (length: number) => Array.from({ length }, () => random.below(base.model.vocab_size));
  await answer(decoder, { prompt: draw(Math.min(prompt, 16)), tokens: 2 });
  for (let step = 0; step < steps; step++) {
    console.log(JSON.stringify(await answer(decoder, { prompt: draw(prompt), tokens })));
  }
  await decoder.dispose();
}

function openModel(path: string): RandomModel {
  const source = openWeights(path);
  return { model: createModel(source.config), read: source.read };
}

/** The first token comes from the prompt's own run, so the decoding measured is of the others. */
async function answer(decoder: Decoder, { prompt, tokens }: { prompt: number[]; tokens: number }) {
  decoder.truncate(0);
  const whole = stopwatch();
  let next = largest(await decoder.append(prompt));
  const prefill = whole();
  const decoding = stopwatch();
  for (let made = 1; made < tokens; made++) next = largest(await decoder.append([next]));
  const decoded = decoding();
  return {
    prefill: prompt.length / prefill.seconds,
    decoding: (tokens - 1) / decoded.seconds,
    prefill_cpu_seconds: prefill.cpu_seconds,
    decoding_cpu_seconds: decoded.cpu_seconds,
    peak_rss_bytes: decoded.peak_rss_bytes,
  };
}

function largest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  return best;
}
