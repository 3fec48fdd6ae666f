// TensorBoard's event files: TFRecords of `Event` messages with scalar summaries, under the tags that Hugging Face's
// callback uses. Formats: tensorflow:tensorflow/core/util/event.proto, core/framework/summary.proto,
// core/lib/io/record_writer.h (lengths and contents with a masked CRC-32C each). Nothing here reads a clock.

import { join as joinPath } from "node:path";
import { appendToFile, writeFileAtomic } from "../base/files.ts";
import { bytes, type Field, float, integer, join } from "../graph/protobuf.ts";
import type { Progress } from "./progress.ts";

/** Values by tag, such as train/loss, at a step and a time in seconds since 1970. */
export type Scalars = {
  readonly step: number;
  readonly time: number;
  readonly values: Readonly<Record<string, number>>;
};

/** An event file that grows while a run goes on. */
export type EventFile = { append(scalars: Scalars): void };

/** The name must hold "tfevents"; it is the same for every start of a run, so that there is one curve. */
const NAME = "events.out.tfevents.codefudge";

/** Begins the file of a run anew from what the run has behind it, so that nothing of a lost part stays in it. */
export function openEventFile(folder: string, progress: Progress): EventFile {
  const path = joinPath(folder, NAME);
  const first = record([double(1, progress.started), bytes(3, "brain.Event:2")]);
  writeFileAtomic(path, join([first, ...scalarsOf(progress).map(encodeScalars)]));
  return { append: (scalars) => appendToFile(path, encodeScalars(scalars)) };
}

/** Everything that a run has told so far, in order. */
export function scalarsOf(progress: Progress): Scalars[] {
  const steps = progress.losses.map((_, i) => stepScalars(progress, i + 1));
  const evaluations = progress.evaluations.map((_, i) => evaluationScalars(progress, i));
  return [...steps, ...evaluations].sort((a, b) => a.step - b.step || a.time - b.time);
}

/** Of a step, counted from 1. */
export function stepScalars(progress: Progress, step: number): Scalars {
  const { losses, grad_norms, learning_rates } = progress;
  const at = step - 1;
  const values = {
    "train/loss": losses[at]!,
    "train/grad_norm": grad_norms[at]!,
    "train/learning_rate": learning_rates[at]!,
  };
  return { step, time: timeOf(progress, step), values };
}

/** Of an evaluation by its place in the list. */
export function evaluationScalars(progress: Progress, index: number): Scalars {
  const { step, loss, older } = progress.evaluations[index]!;
  const values = { "eval/loss": loss, ...(older === undefined ? {} : { "eval/older_loss": older }) };
  return { step, time: timeOf(progress, step), values };
}

function timeOf({ started, times }: Progress, step: number): number {
  return started + (times[step - 1] ?? 0);
}

function encodeScalars({ step, time, values }: Scalars): Uint8Array {
  const summary = Object.entries(values).map(([tag, value]) => bytes(1, [bytes(1, tag), float(2, value)]));
  return record([double(1, time), integer(2, step), bytes(5, summary)]);
}

function double(field: number, value: number): Field {
  const out = new DataView(new ArrayBuffer(9));
  out.setUint8(0, (field << 3) | 1);
  out.setFloat64(1, value, true);
  return new Uint8Array(out.buffer);
}

function record(message: readonly Field[]): Uint8Array {
  const content = join(message);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(content.length), true);
  return join([length, checksum(length), content, checksum(content)]);
}

function checksum(content: Uint8Array): Uint8Array {
  const crc = crc32c(content);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, masked, true);
  return out;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli), as RFC 3720 has it. */
export function crc32c(content: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of content) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
