// Event files byte by byte: checksums against RFC 3720's examples, records read back by a reader of the test's own. That
// TensorBoard's own reader takes them was seen by hand (docs/log.md).

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createProgress, type Progress } from "./progress.ts";
import { crc32c, evaluationScalars, openEventFile, stepScalars } from "./tensorboard.ts";

const folder = mkdtempSync(join(tmpdir(), "codefudge-events-"));
after(() => rmSync(folder, { recursive: true }));

const progress: Progress = {
  ...createProgress("one", 1_700_000_000),
  step: 2,
  losses: [2.5, 1.5],
  grad_norms: [3, 4],
  learning_rates: [0, 1e-3],
  times: [0.5, 1],
  evaluations: [
    { step: 0, loss: 9 },
    { step: 2, loss: 4, older: 5 },
  ],
};

type Event = { readonly time: number; readonly step: number; readonly values: Record<string, number> };

/** Records of a file, their checksums and lengths checked; only what an event of scalars has is understood. */
function readEvents(path: string): Event[] {
  const bytes = readFileSync(path);
  const events: Event[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const unmask = (masked: number) => {
      const rotated = (masked - 0xa282ead8) >>> 0;
      return ((rotated >>> 17) | (rotated << 15)) >>> 0;
    };
    assert.equal(unmask(bytes.readUInt32LE(at + 8)), crc32c(bytes.subarray(at, at + 8)));
    const content = bytes.subarray(at + 12, at + 12 + length);
    assert.equal(unmask(bytes.readUInt32LE(at + 12 + length)), crc32c(content));
    events.push(parseEvent(content));
    at += 16 + length;
  }
  return events;
}

function parseEvent(bytes: Buffer): Event {
  const event = { time: 0, step: 0, values: {} as Record<string, number> };
  for (const { field, value, raw } of fieldsOf(bytes)) {
    if (field === 1) event.time = raw.readDoubleLE(0);
    if (field === 2) event.step = value;
    if (field !== 5) continue;
    for (const { raw: item } of fieldsOf(raw)) {
      const [tag, scalar] = fieldsOf(item);
      event.values[tag!.raw.toString()] = scalar!.raw.readFloatLE(0);
    }
  }
  return event;
}

function fieldsOf(bytes: Buffer): { field: number; value: number; raw: Buffer }[] {
  const fields = [];
  for (let at = 0; at < bytes.length; ) {
    const varint = () => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++]!;
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    const key = varint();
    const size = { 0: 0, 1: 8, 5: 4 }[key & 7] ?? null;
    const value = size === 0 || size === null ? varint() : 0;
    const length = size ?? value;
    fields.push({ field: key >>> 3, value, raw: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

test("CRC-32C as RFC 3720 has it", () => {
  const zeros = new Uint8Array(32);
  assert.equal(crc32c(zeros), 0x8a9136aa);
  assert.equal(crc32c(zeros.map(() => 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from(zeros, (_, i) => i)), 0x46dd794e);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

test("a file begun anew tells what a run has behind it, in order, and grows by what comes", () => {
  const known = { ...progress, losses: [2.5], evaluations: progress.evaluations.slice(0, 1) };
  const runs = join(folder, "one");
  const file = openEventFile(runs, known);
  file.append(stepScalars(progress, 2));
  file.append(evaluationScalars(progress, 1));
  const grown = readFileSync(join(runs, "events.out.tfevents.codefudge"));
  const [version, ...events] = readEvents(join(runs, "events.out.tfevents.codefudge"));
  assert.deepEqual(version, { time: 1_700_000_000, step: 0, values: {} });
  const near = (value: number) => Math.fround(value);
  assert.deepEqual(events, [
    { time: 1_700_000_000, step: 0, values: { "eval/loss": 9 } },
    {
      time: 1_700_000_000.5,
      step: 1,
      values: { "train/loss": 2.5, "train/grad_norm": 3, "train/learning_rate": 0 },
    },
    {
      time: 1_700_000_001,
      step: 2,
      values: { "train/loss": 1.5, "train/grad_norm": 4, "train/learning_rate": near(1e-3) },
    },
    { time: 1_700_000_001, step: 2, values: { "eval/loss": 4, "eval/older_loss": 5 } },
  ]);
  openEventFile(runs, progress);
  assert.ok(
    readFileSync(join(runs, "events.out.tfevents.codefudge")).equals(grown),
    "begun anew it is the same",
  );
});
