// An encoder–decoder network run stage by stage on padded pairs, with gradients, for tests: embedding, positions,
// encoder blocks, memory, decoder blocks, head. Each stage is a program that takes its weights as inputs.

import type { AdapterConfig } from "../src/adapters/adapter.ts";
import { adapterParameters, blockHooks, createParameters } from "../src/adapters/hooks.ts";
import { apply, gather, logSoftmax, mul, neg, reduceSum, reshape } from "../src/graph/build.ts";
import { gradients } from "../src/graph/gradient.ts";
import type { Outputs } from "../src/graph/names.ts";
import { writeProgram } from "../src/graph/onnx.ts";
import { input, scalar, type Tensor } from "../src/graph/tensor.ts";
import type { EncoderDecoder, MemoryHooks, Stack } from "../src/models/encoder-decoder.ts";
import type { Hooks, Parameter } from "../src/models/model.ts";
import { biasedAttention, causalBias, relativeBias } from "../src/models/relative.ts";
import { type Buffer, compile, createBuffer, type Executable } from "../src/runtime/device.ts";

export type Pair = { readonly source: readonly number[]; readonly answer: readonly number[] };
type Sizes = { readonly batch: number; readonly source: number; readonly answer: number };
type Feeds = Readonly<Record<string, Buffer>>;
type AnyStack = Omit<Stack<Hooks>, "block">;

const floats = (shape: readonly number[], data: Float32Array) => createBuffer("float32", shape, data);
const filled = (rows: readonly (readonly number[])[], width: number) =>
  BigInt64Array.from(
    rows.flatMap((row) => [...row, ...Array(width - row.length).fill(0)]),
    BigInt,
  );

export class Network {
  readonly model: EncoderDecoder;
  readonly adapter: AdapterConfig | null;
  /** Weights and adapter arrays by their full names. */
  readonly arrays: ReadonlyMap<string, Buffer>;
  /** Sums of gradients by full name, after `backward`. */
  readonly gradients = new Map<string, Float32Array>();
  readonly #sizes: Sizes;
  readonly #programs = new Map<string, Promise<Executable>>();

  constructor(
    model: EncoderDecoder,
    adapter: AdapterConfig | null,
    given: { arrays: ReadonlyMap<string, Buffer>; sizes: Sizes },
  ) {
    this.model = model;
    this.adapter = adapter;
    this.arrays = given.arrays;
    this.#sizes = given.sizes;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).dispose();
  }

  async #run(name: string, build: () => Outputs, feeds: Feeds): Promise<Feeds> {
    const program =
      this.#programs.get(name) ??
      compile(writeProgram(name.replace(/\W/g, "_"), build()), { threads: 1, arena: true });
    this.#programs.set(name, program);
    const results = await (await program).run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([key, buffer]) => [
        key,
        { ...floats(buffer.shape, (buffer.data as Float32Array).slice()) },
      ]),
    );
  }

  #named(parameters: readonly Parameter[]): Feeds {
    return Object.fromEntries(parameters.map(({ name }) => [name, this.arrays.get(name)!]));
  }

  /** Logits [batch · answer, vocabulary], and what a backward pass needs. */
  async forward(pairs: readonly Pair[]) {
    const { batch, source, answer } = this.#sizes;
    const { encoder, decoder, decoder_start_token_id: start } = this.model;
    const mask = Float32Array.from(
      pairs.flatMap((pair) => Array.from({ length: source }, (_, i) => (i < pair.source.length ? 0 : -1e30))),
    );
    const fixed = {
      mask: floats([batch, 1, 1, source], mask),
      encoderBias: await this.#bias(encoder, source, true),
      decoderBias: await this.#bias(decoder, answer, false),
    };
    const ids = {
      source: createBuffer(
        "int64",
        [batch * source],
        filled(
          pairs.map((pair) => pair.source),
          source,
        ),
      ),
      answer: createBuffer(
        "int64",
        [batch * answer],
        filled(
          pairs.map((pair) => [start, ...pair.answer.slice(0, -1)]),
          answer,
        ),
      ),
    };
    const encoded = await this.#chain(encoder, await this.#embed(ids.source), {
      mask: fixed.mask,
      bias: fixed.encoderBias,
    });
    const memory = (
      await this.#run("memory", () => ({ y: this.#memory().y }), {
        x: encoded.at(-1)!,
        ...this.#named(this.model.memoryParameters),
      })
    ).y!;
    const decoded = await this.#chain(decoder, await this.#embed(ids.answer), {
      mask: fixed.mask,
      bias: fixed.decoderBias,
      memory,
    });
    const feeds = { x: decoded.at(-1)!, ...this.#named(this.model.headParameters) };
    const { logits } = await this.#run("head", () => ({ logits: this.#head().logits }), feeds);
    return { logits: logits!, fixed, ids, encoded, memory, decoded };
  }

  /** Sum of -log p of the answers; gradients of it for the names in `wanted`. */
  async backward(pairs: readonly Pair[], wanted: "all" | "adapter"): Promise<number> {
    const { answer } = this.#sizes;
    const { encoder, decoder } = this.model;
    const state = await this.forward(pairs);
    const labels = createBuffer(
      "int64",
      [state.logits.shape[0]!, 1],
      filled(
        pairs.map((pair) => pair.answer),
        answer,
      ),
    );
    const weights = floats(
      [state.logits.shape[0]!],
      Float32Array.from(
        pairs.flatMap((pair) => Array.from({ length: answer }, (_, i) => (i < pair.answer.length ? 1 : 0))),
      ),
    );
    const head = await this.#run("head backward", () => this.#headBackward(), {
      x: state.decoded.at(-1)!,
      labels,
      weights,
      ...this.#named(this.model.headParameters),
    });
    if (wanted === "all") this.#add(head, "");
    const over = { mask: state.fixed.mask, bias: state.fixed.decoderBias, memory: state.memory };
    const down = await this.#chainBackward(
      decoder,
      { states: state.decoded, dy: head.dx!, fixed: over },
      wanted,
    );
    const memory = await this.#run("memory backward", () => this.#memoryBackward(), {
      x: state.encoded.at(-1)!,
      dy: down.dmemory!,
      ...this.#named(this.model.memoryParameters),
    });
    if (wanted === "all") this.#add(memory, "");
    const up = await this.#chainBackward(
      encoder,
      {
        states: state.encoded,
        dy: memory.dx!,
        fixed: { mask: state.fixed.mask, bias: state.fixed.encoderBias },
      },
      wanted,
    );
    if (wanted === "all") {
      await this.#embedBackward(state.ids.source, up.dx);
      await this.#embedBackward(state.ids.answer, down.dx);
      await this.#biasBackward(encoder, { length: this.#sizes.source, twoSided: true }, up.dbias);
      await this.#biasBackward(decoder, { length: answer, twoSided: false }, down.dbias);
    }
    return Number(head.loss!.data[0]);
  }

  async #chain(stack: AnyStack, x: Buffer, fixed: Feeds): Promise<Buffer[]> {
    const states = [x];
    for (let layer = 0; layer < stack.num_hidden_layers; layer++) {
      const feeds = { ...this.#blockFeeds(stack, layer), ...fixed, x: states.at(-1)! };
      states.push((await this.#run(stack.blockPrefix(0), () => ({ y: this.#block(stack).y }), feeds)).y!);
    }
    return states;
  }

  async #chainBackward(
    stack: AnyStack,
    { states, dy, fixed }: { states: readonly Buffer[]; dy: Buffer; fixed: Feeds },
    wanted: "all" | "adapter",
  ) {
    let dx = dy;
    const sums: Record<string, Buffer> = {};
    for (let layer = stack.num_hidden_layers - 1; layer >= 0; layer--) {
      const feeds = { ...this.#blockFeeds(stack, layer), ...fixed, x: states[layer]!, dy: dx };
      const out = await this.#run(
        `${stack.blockPrefix(0)} backward`,
        () => this.#blockBackward(stack, wanted),
        feeds,
      );
      this.#add(out, stack.blockPrefix(layer));
      for (const name of ["dmemory", "dbias"]) {
        const more = out[name];
        if (more)
          sums[name] = floats(
            more.shape,
            (more.data as Float32Array).map((value, i) => value + Number(sums[name]?.data[i] ?? 0)),
          );
      }
      dx = out.dx!;
    }
    return { dx, dmemory: sums.dmemory, dbias: sums.dbias! };
  }

  #blockFeeds(stack: AnyStack, layer: number): Feeds {
    const prefix = stack.blockPrefix(layer);
    const wanted = [...stack.blockParameters, ...adapterParameters(this.#layers(stack), this.adapter, layer)];
    return Object.fromEntries(wanted.map(({ name }) => [name, this.arrays.get(prefix + name)!]));
  }

  #layers(stack: AnyStack) {
    return {
      ...stack,
      embeddingParameter: this.model.embeddingParameter,
      headParameters: this.model.headParameters,
    };
  }

  #block(stack: AnyStack) {
    const { batch, source, answer } = this.#sizes;
    const { attention, hidden_size: d } = this.model;
    const isEncoder = stack.blockPrefix(0) === this.model.encoder.blockPrefix(0);
    const length = isEncoder ? source : answer;
    const x = input("x", "float32", [batch * length, d]);
    const mask = input("mask", "float32", [batch, 1, 1, source]);
    const bias = input("bias", "float32", [attention.num_heads, length, length]);
    const memory = input("memory", "float32", [batch * source, d]);
    const hooks = blockHooks(this.#layers(stack), this.adapter, { layer: 0 });
    const attend = biasedAttention(
      attention,
      { batch, queries: length, keys: length },
      isEncoder ? [bias, mask] : [bias, causalBias(length)],
    );
    const over = biasedAttention(attention, { batch, queries: length, keys: source }, [mask]);
    const all: MemoryHooks = { ...hooks, attend, attendMemory: (q, project) => over(q, ...project(memory)) };
    const y = isEncoder ? this.model.encoder.block(all, x) : this.model.decoder.block(all, x);
    return { x, y, bias, memory: isEncoder ? undefined : memory, made: hooks.made };
  }

  #blockBackward(stack: AnyStack, wanted: "all" | "adapter"): Outputs {
    const { x, y, bias, memory, made } = this.#block(stack);
    const arrays =
      wanted === "all" ? stack.blockParameters : adapterParameters(this.#layers(stack), this.adapter, 0);
    const wrt: [string, Tensor][] = [
      ["dx", x],
      ["dbias", bias],
      ...(memory ? [["dmemory", memory] as [string, Tensor]] : []),
      ...arrays.map(({ name }): [string, Tensor] => [`d:${name}`, made.get(name)!]),
    ];
    return differentiated(y, wrt);
  }

  #memory() {
    const { batch, source } = this.#sizes;
    const { parameter, made } = createParameters(this.model.memoryParameters);
    const x = input("x", "float32", [batch * source, this.model.hidden_size]);
    return { x, y: this.model.memory({ parameter }, x), made };
  }

  #memoryBackward(): Outputs {
    const { x, y, made } = this.#memory();
    return differentiated(y, [
      ["dx", x],
      ...[...made].map(([name, tensor]): [string, Tensor] => [`d:${name}`, tensor]),
    ]);
  }

  #head() {
    const { batch, answer } = this.#sizes;
    const { parameter, made } = createParameters(this.model.headParameters);
    const x = input("x", "float32", [batch * answer, this.model.hidden_size]);
    return { x, logits: this.model.head({ parameter }, x), made };
  }

  #headBackward(): Outputs {
    const { x, logits, made } = this.#head();
    const rows = x.shape[0]!;
    const chosen = apply("GatherElements", [logSoftmax(logits), input("labels", "int64", [rows, 1])], {
      axis: 1,
    });
    const loss = mul(neg(reshape(chosen, [rows])), input("weights", "float32", [rows]));
    const total = reduceSum(loss, [0]);
    const wrt: [string, Tensor][] = [
      ["dx", x],
      ...[...made].map(([name, tensor]): [string, Tensor] => [`d:${name}`, tensor]),
    ];
    return { loss: total, ...differentiated(total, wrt, scalar(1)) };
  }

  async #embed(ids: Buffer): Promise<Buffer> {
    const { name, shape } = this.model.embeddingParameter;
    const build = () => ({ y: gather(input(name, "float32", shape), input("ids", "int64", ids.shape)) });
    return (await this.#run(`embed ${ids.shape[0]}`, build, { ids, [name]: this.arrays.get(name)! })).y!;
  }

  async #embedBackward(ids: Buffer, dy: Buffer): Promise<void> {
    const { name, shape } = this.model.embeddingParameter;
    const build = () => {
      const weight = input(name, "float32", shape);
      return differentiated(gather(weight, input("ids", "int64", ids.shape)), [[`d:${name}`, weight]]);
    };
    this.#add(await this.#run(`embed backward ${ids.shape[0]}`, build, { ids, dy }), "");
  }

  async #bias(stack: AnyStack, length: number, twoSided: boolean): Promise<Buffer> {
    const { name, shape } = stack.positionParameter;
    const build = () => ({
      y: relativeBias(this.model.attention, input(name, "float32", shape), { length, twoSided }),
    });
    return (await this.#run(`bias ${name}`, build, { [name]: this.arrays.get(name)! })).y!;
  }

  async #biasBackward(
    stack: AnyStack,
    how: { length: number; twoSided: boolean },
    dy: Buffer,
  ): Promise<void> {
    const { name, shape } = stack.positionParameter;
    const build = () => {
      const table = input(name, "float32", shape);
      return differentiated(relativeBias(this.model.attention, table, how), [[`d:${name}`, table]]);
    };
    this.#add(await this.#run(`bias backward ${name}`, build, { dy }), "");
  }

  #add(outputs: Feeds, prefix: string): void {
    for (const [key, { data }] of Object.entries(outputs)) {
      if (!key.startsWith("d:")) continue;
      const name = prefix + key.slice(2);
      const sum = this.gradients.get(name) ?? new Float32Array(data.length);
      this.gradients.set(
        name,
        sum.map((value, i) => value + Number(data[i])),
      );
    }
  }
}

function differentiated(
  y: Tensor,
  wrt: readonly (readonly [string, Tensor])[],
  seed = input("dy", "float32", y.shape),
): Outputs {
  const given = gradients(
    [{ output: y, gradient: seed }],
    wrt.map(([, tensor]) => tensor),
  );
  return Object.fromEntries(wrt.map(([name], i) => [name, given[i]!]));
}
