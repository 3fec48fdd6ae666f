// The picture of results: what is drawn of each, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPicture } from "./picture.ts";

const machine = { cpu: "a <fast> processor", cores: 2, date: "2026-11-23T05:00:00.000Z" };
const line = (more: object) =>
  JSON.stringify({
    ...{ name: "train", value: 300, unit: "tokens/s", peer: "PyTorch", peer_value: 150 },
    ...{ peak_rss_bytes: 1e9, peer_peak_rss_bytes: 2e9, machine, ...more },
  });

const barsOf = (svg: string) =>
  [...svg.matchAll(/class="(ours|peer)" x="(\d+)" y="\d+" width="(\d+)"/g)].map(([, kind, x, width]) => ({
    kind,
    x: Number(x),
    width: Number(width),
  }));

test("bars are as long as their figures, speed and memory each on a scale of its own", () => {
  const bars = barsOf(drawPicture([line({})]));
  const [ours, ourMemory, peer, peerMemory] = bars;
  assert.deepEqual(
    bars.map(({ kind }) => kind),
    ["ours", "ours", "peer", "peer"],
  );
  assert.equal(peer!.width * 2, ours!.width);
  assert.equal(ourMemory!.width * 2, peerMemory!.width);
  assert.deepEqual([ours!.x, ourMemory!.x], [peer!.x, peerMemory!.x]);
});

test("a result without a peer is drawn alone, under its heading, and text is no markup", () => {
  const svg = drawPicture([line({ peer: null, peer_value: null, work: "135M, 512 tokens" }), ""]);
  assert.deepEqual(
    barsOf(svg).map(({ kind }) => kind),
    ["ours", "ours"],
  );
  assert.match(svg, />135M, 512 tokens</);
  assert.match(svg, /2 cores, a &lt;fast&gt; processor, 2026-11-23/);
});

test("what no bench printed is refused in a sentence", () => {
  assert.throws(
    () => drawPicture(["{}"]),
    /^UserError: Expected lines that npm run bench printed, found "\{\}"$/,
  );
  assert.throws(() => drawPicture(["no json"]), /found "no json"/);
  assert.throws(() => drawPicture([""]), /found none/);
});
