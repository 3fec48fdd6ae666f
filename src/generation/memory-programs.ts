// The programs with which an encoder–decoder network writes: the encoder's as they are in training, and the decoder's for
// one id at a time, over keys and values that are kept. Adapters' arrays are those of `frozenArrays`.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { blockHooks, createParameters, embeddingStage, headStage } from "../adapters/hooks.ts";
import { chainsOf } from "../adapters/kind.ts";
import { add, concat, gather, matMul, reshape, softmax, split, transpose } from "../graph/build.ts";
import { writeProgram } from "../graph/onnx.ts";
import type { Program } from "../graph/program.ts";
import { input, type Tensor } from "../graph/tensor.ts";
import type { EncoderDecoder, MemoryHooks, Shared } from "../models/encoder-decoder.ts";

/** A network and its adapter's options. */
export type Written = { readonly model: EncoderDecoder; readonly adapter: AdapterConfig | null };

/** Padded length of a source. */
export type Sourced = { readonly source: number };

export function encoderEmbedding({ model, adapter }: Written, { source }: Sourced): Program {
  const { y } = embeddingStage(chainsOf(model)[0]!, adapter, input("ids", "int64", [source]));
  return writeProgram("encoder_embedding", { y });
}

/** Tables of positions to what they add to the scores of the encoder's blocks, by name. */
export function encoderPositions({ model }: Written, { source }: Sourced): Program {
  return writeProgram("encoder_positions", positionsOf(model, source));
}

function positionsOf({ encoder }: EncoderDecoder, source: number): Shared {
  return encoder.positions(createParameters(encoder.positionParameters), source);
}

/** x [source, hidden_size] and what the blocks share to y. */
export function encoderBlock(
  { model, adapter }: Written,
  { source, layer }: Sourced & { layer: number },
): Program {
  const padded = { batch: 1, length: source };
  const shapes = { ...positionsOf(model, source), ...model.encoder.masks([source], padded) };
  const shared = Object.fromEntries(
    Object.entries(shapes).map(([name, { shape }]) => [name, input(name, "float32", shape)]),
  );
  const x = input("x", "float32", [source, model.hidden_size]);
  const hooks = blockHooks(chainsOf(model)[0]!, adapter, { layer, frozen: true });
  return writeProgram("encoder_block", { y: model.encoder.block({ ...hooks, padded, shared }, x) });
}

export function memoryProgram({ model }: Written, { source }: Sourced): Program {
  const x = input("x", "float32", [source, model.hidden_size]);
  return writeProgram("memory", { y: model.memory(createParameters(model.memoryParameters), x) });
}

/** The memory x to the keys and values that a decoder's block looks at, [heads, source, d] each. */
export function memoryKeys(written: Written, { source, layer }: Sourced & { layer: number }): Program {
  const { model } = written;
  const { num_heads: heads, d_kv: d } = model.attention;
  const memory = input("x", "float32", [source, model.hidden_size]);
  const byHead = (x: Tensor) => transpose(reshape(x, [source, heads, d]), [1, 0, 2]);
  let made: { readonly key: Tensor; readonly value: Tensor } | undefined;
  decoderBlock(written, layer, {
    attend: (q) => q,
    attendMemory: (q, project) => {
      const [k, v] = project(memory);
      made = { key: byHead(k), value: byHead(v) };
      return q;
    },
  });
  return writeProgram("memory_keys", made!);
}

type Attending = Pick<MemoryHooks, "attend" | "attendMemory">;

/** A decoder's block over one id's hidden state x [1, hidden_size]. */
function decoderBlock({ model, adapter }: Written, layer: number, attending: Attending): Tensor {
  const hooks = blockHooks(chainsOf(model)[1]!, adapter, { layer, frozen: true });
  return model.decoder.block({ ...hooks, ...attending }, input("x", "float32", [1, model.hidden_size]));
}

export function decoderEmbedding({ model: { embeddingParameter } }: Written): Program {
  const { parameter } = createParameters([embeddingParameter]);
  return writeProgram("decoder_embedding", {
    y: gather(parameter(embeddingParameter.name), input("ids", "int64", [1])),
  });
}

/**
 * x of one id to y, and to its own key and value [heads, 1, d]. Inputs beside x: past_key and past_value
 * [heads, capacity, d], bias [heads, 1, capacity + 1], which hides what is not there yet and ends with the id itself;
 * memory_key and memory_value [heads, source, d], memory_mask [1, 1, source].
 */
export function decoderStep(
  written: Written,
  { source, layer, capacity }: Sourced & { layer: number; capacity: number },
): Program {
  const { num_heads: heads, d_kv: d } = written.model.attention;
  const past = (name: string, length: number) => input(name, "float32", [heads, length, d]);
  const bias = input("bias", "float32", [heads, 1, capacity + 1]);
  let present: { readonly key: Tensor; readonly value: Tensor } | undefined;
  const y = decoderBlock(written, layer, {
    attend: (q, k, v) => {
      const [key, value] = [reshape(k, [heads, 1, d]), reshape(v, [heads, 1, d])];
      present = { key, value };
      const own = matMul(reshape(q, [heads, 1, d]), reshape(k, [heads, d, 1]));
      const scores = concat([scoresOver(past("past_key", capacity), q), own], 2);
      const [before, now] = split(softmax(add(scores, bias)), [capacity, 1], 2);
      const mixed = add(matMul(before!, past("past_value", capacity)), matMul(now!, value));
      return reshape(mixed, [1, heads * d]);
    },
    attendMemory: (q) => {
      const scores = scoresOver(past("memory_key", source), q);
      const weights = softmax(add(scores, input("memory_mask", "float32", [1, 1, source])));
      return reshape(matMul(weights, past("memory_value", source)), [1, heads * d]);
    },
  });
  return writeProgram("decoder_step", { y, ...present! });
}

/** q [1, heads·d] times keys [heads, n, d], as they lie: [heads, 1, n]. */
function scoresOver(keys: Tensor, q: Tensor): Tensor {
  const [heads, length, d] = keys.shape as [number, number, number];
  return reshape(matMul(keys, reshape(q, [heads, d, 1])), [heads, 1, length]);
}

/** Logits [vocab_size] of one hidden state. */
export function decoderHead({ model, adapter }: Written): Program {
  const x = input("x", "float32", [1, model.hidden_size]);
  const layers = { ...chainsOf(model)[1]!, headParameters: model.headParameters, head: model.head };
  return writeProgram("decoder_head", {
    logits: reshape(headStage(layers, adapter, x).y, [model.vocab_size]),
  });
}
