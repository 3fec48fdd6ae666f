// How much of a budget goes into keeping results of forward passes, so that backward passes need not compute them
// again: what is kept of one block is known exactly from its programs, the rest is `plan.ts`'s estimate.

import type { AdapterConfig } from "../adapters/adapter.ts";
import { sizeOf } from "../base/dtype.ts";
import { LONG } from "../models/block-attention.ts";
import type { Model } from "../models/model.ts";
import { bucketOf } from "./batch.ts";
import type { Keeping } from "./kept.ts";
import { decoderNumbers, type Plan, processBytes, type Shape } from "./plan.ts";
import { blockBytes, frozenGroups, type Setup, STAYING_ROWS } from "./stages.ts";
import { storedGroups } from "./stored.ts";
import { wantedCounts } from "./wanted.ts";

export type KeptPlan = {
  readonly keeping: Keeping;
  /** So many of the last blocks keep it; the others' forward pass is run once more on the way back. */
  readonly kept_layers: number;
  /** Bytes that this takes. */
  readonly kept: number;
};

export type Keeper = {
  readonly shape: Shape & { readonly model: Model };
  readonly adapter: AdapterConfig | null;
};

/** What programs of both kinds, those that keep and those that compute again, hold beyond those of one kind. */
export const BOTH_KINDS = 0.65;

export const NOTHING_KEPT: KeptPlan = { keeping: "nothing", kept_layers: 0, kept: 0 };

/** A block's backward pass in times of its forward pass, by what is kept, for short and for long inputs. Measured. */
const BACKWARD: Readonly<Record<"short" | "long", Readonly<Record<Keeping, number>>>> = {
  short: { nothing: 2.03, attention: 2.03, narrow: 1.75, linear: 1.39, all: 1.32 },
  long: { nothing: 2.8, attention: 2.3, narrow: 2.03, linear: 1.83, all: 1.83 },
};

/** Runs without memory of their own take so many times as long. Measured. */
const WITHOUT_ARENA = 1.06;
/** The same of runs that turn weights for the way back. Measured. */
const TURNING = 1.03;

export type Kept = KeptPlan &
  Pick<Plan, "memory" | "arena"> & {
    /** Whether weights on eight bits are held once for both directions. */
    readonly once: boolean;
    /** Whether what is kept is held in 16 bits. */
    readonly halved: boolean;
    /** Of so many parts of a block's rows what is wide stays on eight bits, and every block keeps its input (`Setup`). */
    readonly staying?: number | undefined;
    /** Whether programs are in memory one at a time; blocks that do not keep have programs of their own then. */
    readonly alone: boolean;
  };

/** The same of what is put into 16 bits and taken out again. Measured. */
const HALVING = 1.01;
/** The same where programs are compiled anew for every pass, from this length on: below it costs more than it gives. */
const COMPILING = 1.04;
const ALONE_FROM = 4096;

/** What both passes of so many layers take, in forward passes of one. */
export function passTime(
  { keeping, kept_layers, arena, once, halved, staying = 0, alone }: Omit<Kept, "kept" | "memory">,
  { layers, length }: { readonly layers: number; readonly length: number },
): number {
  const back = BACKWARD[length > LONG ? "long" : "short"];
  const others = keeping === "nothing" ? 0 : layers - kept_layers;
  const more = alone ? back.nothing - back[keeping] : 1;
  const slower =
    (arena ? 1 : WITHOUT_ARENA) * (once ? TURNING : 1) * (halved ? HALVING : 1) * (alone ? COMPILING : 1);
  const stays = STAYING * Math.min(1, (staying * STAYING_ROWS) / length);
  return (layers * (1 + back[keeping] - stays) + others * more) * slower;
}

/** Forward passes that are saved where what is wide stays for all rows. Measured. */
const STAYING = 0.19;

/** The least memory of a plan, and how much of it each row of its batch takes in a block's programs. */
export type Least = { readonly memory: number; readonly row: number };

export function leastOf(keeper: Keeper, plan: Plan): Least {
  const { memory } = planKeeping(keeper, plan, 0);
  const { batch, length } = extentOf(plan);
  return { memory, row: (memory - leastFixed(keeper, plan)) / (batch * length) };
}

/** What each row of a longer input takes, in times of a shorter one's: scores only add to it. */
const LONGER = 0.8;

/** Whether a plan may fit, by the least of a shorter one: no block's graph is built for it. */
export function mayFit(keeper: Keeper, plan: Plan, { row, limit }: { row: number; limit: number }): boolean {
  const { batch, length } = extentOf(plan);
  return leastFixed(keeper, plan) + LONGER * row * batch * length <= limit;
}

/** What does not depend on what is kept, however weights are held. */
function leastFixed(keeper: Keeper, plan: Plan): number {
  return Math.min(...[true, false].map((once) => fixedBytes(keeper, { ...plan, arena: false }, once)));
}

/**
 * What is fastest within `limit` bytes, and the predicted peak of resident memory: of one block everything is counted,
 * what its programs hold while they run as well. Where nothing fits, what takes least.
 */
export function planKeeping(keeper: Keeper, plan: Plan, limit: number): Kept {
  const work = { layers: keeper.shape.model.num_hidden_layers, length: bucketOf(plan.max_length) };
  const rounds = keeper.shape.adapter && keeper.shape.compute === "int8" && !plan.streams;
  const choices = (plan.arena ? [true, false] : [false]).flatMap((arena) =>
    (rounds ? [false, true] : [false]).flatMap((once) => {
      const fixed = fixedBytes(keeper, { ...plan, arena }, once);
      const room = { arena, once, fixed, limit, layers: work.layers };
      const plain = knownBytes(keeper, plan, { keeping: "nothing", halved: false });
      const forms = arena && work.length >= ALONE_FROM ? [false, true] : [false];
      return KEEPINGS.flatMap((keeping) =>
        (rounds && keeping !== "nothing" ? [false, true] : [false]).flatMap((halved) => {
          const block = knownBytes(keeper, plan, { keeping, halved });
          const plainly = forms.map((alone) => choiceOf(block, { ...room, halved, alone, plain }));
          const whole = plainly.find(({ alone, memory }) => !alone && memory <= limit);
          const stays = keeping === "narrow" && halved && whole?.kept_layers === work.layers;
          return stays
            ? [...plainly, ...stayingChoice(keeper, plan, { ...room, halved, alone: false, plain })]
            : plainly;
        }),
      );
    }),
  );
  const least = choices.reduce((a, b) => (b.memory < a.memory ? b : a));
  const fitting = choices.filter(({ memory }) => memory <= limit);
  return fitting.reduce((a, b) => (passTime(b, work) < passTime(a, work) ? b : a), fitting[0] ?? least);
}

const KEEPINGS = ["nothing", "attention", "narrow", "linear", "all"] as const;

/** The most parts whose wide values may stay within the limit, where all blocks keep; nothing where none may. */
function stayingChoice(keeper: Keeper, plan: Plan, room: Room): Kept[] {
  const { batch, length } = extentOf(plan);
  const { model } = keeper.shape;
  if (batch * length <= LONG) return [];
  // Hidden states of all blocks but those on the way are among what is kept.
  const fixed = room.fixed - 4 * batch * length * model.hidden_size * (room.layers - 2);
  for (let staying = Math.ceil((batch * length) / STAYING_ROWS); staying > 0; staying--) {
    const block = knownBytes(keeper, plan, { keeping: "narrow", halved: true, staying });
    const choice = choiceOf(block, { ...room, fixed, staying });
    if (choice.kept_layers === room.layers && choice.memory <= room.limit) return [choice];
  }
  return [];
}

type Room = Pick<Kept, "arena" | "once" | "halved" | "staying" | "alone"> & {
  /** Of a block that keeps nothing. */
  readonly plain: Known;
  readonly fixed: number;
  readonly limit: number;
  readonly layers: number;
};

/** As many blocks as there is room for, and one at least. */
function choiceOf(block: Known, { plain, fixed, limit, layers, ...form }: Room): Kept {
  const { keeping, each } = block;
  const working = form.alone ? Math.max(block.alone, plain.alone) : form.arena ? block.together : block.apart;
  const memory = fixed + working;
  if (keeping === "nothing") return { ...NOTHING_KEPT, ...form, memory };
  // One more than keep: what a block that does not keep holds for a moment, and every block in an evaluation.
  const spare = form.alone ? 0 : 1;
  const kept_layers = Math.max(1, Math.min(layers, Math.floor((limit - memory) / each) - spare));
  const kept = each * (kept_layers + spare);
  return { keeping, kept_layers, kept, ...form, memory: memory + kept };
}

/** Bytes of what does not depend on what is kept; of the whole network's training all that is planned. */
function fixedBytes({ shape }: Keeper, plan: Plan, once: boolean): number {
  if (!shape.adapter) return plan.memory;
  const { block: _, ...numbers } = decoderNumbers({ ...shapeOfPlan(shape, plan), once }, extentOf(plan));
  const bytes = 4 * Object.values(numbers).reduce((sum, part) => sum + part, 0);
  const turned = once ? HELD * Math.max(...shape.model.linears.map(({ shape }) => sizeOf(shape))) : 0;
  return processBytes(shape) + bytes + turned;
}

function shapeOfPlan(shape: Keeper["shape"], { streams }: Plan): Keeper["shape"] {
  return streams ? { ...shape, streams, compute: "f32", storage: "f32" } : shape;
}

/**
 * What programs hold over what is alive in them. Memory that is given back after every run lies in pieces, so that it is
 * hardly less than with memory of their own for each program. Measured (docs/performance.md).
 */
const HELD = 1.75;
/** The same of programs over as many tokens as are compiled anew: tiles of many sizes leave gaps. Measured. */
const HELD_LONG = 2.5;

function heldFor({ length }: { readonly length: number }): number {
  return length >= ALONE_FROM ? HELD_LONG : HELD;
}

type Form = Pick<Kept, "keeping" | "halved" | "staying">;
type Known = ReturnType<typeof bytesOf>;

/** What was found of a model's blocks before: their graphs are built for it. */
const known = new WeakMap<Model, Map<string, Known>>();

function knownBytes(keeper: Keeper, plan: Plan, form: Form): Known {
  const { model, adapter, compute, storage, bare } = keeper.shape;
  const found = known.get(model) ?? new Map<string, Known>();
  known.set(model, found);
  const { batch, max_length, streams } = plan;
  const key = JSON.stringify([
    keeper.adapter,
    ...[adapter, compute, storage, bare, batch, bucketOf(max_length), streams, form],
  ]);
  const bytes = found.get(key) ?? bytesOf(keeper, plan, form);
  found.set(key, bytes);
  return bytes;
}

/** Bytes that a block keeps, and that its programs hold while they run: each for itself, and where memory is given back. */
function bytesOf({ shape, adapter }: Keeper, plan: Plan, { keeping, ...bits }: Form) {
  const { setup: base, extent } = programsOf({ shape: shapeOfPlan(shape, plan), adapter }, plan);
  const setup = { ...base, ...bits };
  const place = { layer: shape.model.num_hidden_layers - 1, drops: false, keeping };
  const { forward, backward, kept: each } = blockBytes(setup, extent, place);
  if (!shape.adapter) return { keeping, each, together: 0, apart: 0, alone: 0 };
  // The last block computes only what targets need, in programs of its own for each number of them.
  const last = wantedCounts(extent)
    .slice(0, shape.bare ? 1 : undefined)
    .map((wanted) => blockBytes(setup, extent, { ...place, wanted }));
  const all = [{ forward, backward }, ...last].reduce((sum, one) => sum + one.forward + one.backward, 0);
  const held = heldFor(extent);
  const alone = held * Math.max(forward, backward);
  return { keeping, each, together: held * all, apart: held * (forward + backward), alone };
}

type Shapes = Pick<Kept, "keeping" | "halved" | "staying" | "alone"> & { readonly limit: number };

/** Programs for batches of other shapes are held while these have so many times the rows of the largest together. */
const SHAPES = 2;

/** Rows of all shapes whose programs may be held at a time, within what is left of `limit`, and what they add to a plan. */
export function planShapes(
  keeper: Keeper,
  plan: Plan,
  { keeping, halved, staying, alone, limit }: Shapes,
): HeldShapes {
  const { shape } = keeper;
  const extent = extentOf(plan);
  const rows = extent.batch * extent.length;
  // One program at a time is meant of all.
  if (alone) return { held_rows: 0, more: 0 };
  // A bench has batches of one shape.
  if (shape.bare) return { held_rows: rows, more: 0 };
  // Without the arena working memory is given back after every run.
  if (!plan.arena) return { held_rows: SHAPES * rows, more: 0 };
  const together = shape.adapter
    ? knownBytes(keeper, plan, { keeping, halved, staying }).together
    : 4 * decoderNumbers(shape, extent).block;
  const each = together / rows;
  const held_rows = Math.min(SHAPES * rows, rows + Math.max(0, Math.floor((limit - plan.memory) / each)));
  return { held_rows, more: each * (held_rows - rows) };
}

/** Rows of programs that may be held, and bytes of those beyond the largest shape's. */
export type HeldShapes = { readonly held_rows: number; readonly more: number };

function extentOf({ batch, max_length, arena }: Plan) {
  return { batch, length: bucketOf(max_length), arena };
}

function programsOf({ shape: { model, compute, storage = "f32" }, adapter }: Keeper, plan: Plan) {
  const base: Setup = { model, adapter, trainable: adapter ? "adapter" : "all" };
  const groups = frozenGroups(base);
  const frozen = compute === "int8" ? groups : storage === "f32" ? [] : storedGroups(groups, storage);
  const rounds = compute === "int8" && adapter ? { steps: 127 } : {};
  return { setup: { ...base, ...rounds, frozen }, extent: extentOf(plan) };
}
