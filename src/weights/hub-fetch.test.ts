// Fetching from a server that plays the hub: whole, cut, damaged, offline, with a token, by two processes at once.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { gitHash, type PlayedHub, playHub, sha256 } from "../../test/hub-server.ts";
import { type FetchEvent, type FetchOptions, fetchModel } from "./hub-fetch.ts";
import { parseHubName } from "./hub-name.ts";

const root = mkdtempSync(join(tmpdir(), "codefudge-hub-"));
const hubs: PlayedHub[] = [];
after(async () => {
  for (const hub of hubs) await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
const files = [
  { name: "README.md", bytes: Buffer.from("not needed") },
  { name: "config.json", bytes: Buffer.from('{"model_type":"llama"}') },
  { name: "tokenizer.json", bytes: Buffer.from("{}") },
  { name: "model.safetensors", bytes: weights, large: true },
  { name: "onnx/model.onnx", bytes: Buffer.from("not needed") },
];
const gguf = ["tiny-Q4_0.gguf", "tiny-Q8_0.gguf"].map((name) => ({
  name,
  bytes: Buffer.from(name),
  large: true,
}));

async function play(token?: string): Promise<PlayedHub> {
  const hub = await playHub({
    "org/tiny": { commit: COMMIT, files, ...(token === undefined ? {} : { token }) },
    "org/tiny-GGUF": { commit: COMMIT, files: gguf },
    "org/empty": { commit: COMMIT, files: [] },
  });
  hubs.push(hub);
  return hub;
}

let caches = 0;
function optionsFor(hub: PlayedHub, change: Partial<FetchOptions> = {}): FetchOptions {
  const cache = join(root, `cache-${caches++}`);
  return {
    endpoint: hub.endpoint,
    token: undefined,
    timeout: 5,
    cache,
    offline: false,
    patience: [0, 0],
    ...change,
  };
}

async function fetchAll(
  text: string,
  options: FetchOptions,
): Promise<{ path: string; events: FetchEvent[] }> {
  const generator = fetchModel(parseHubName(text)!, options);
  const events: FetchEvent[] = [];
  for (;;) {
    const next = await generator.next();
    if (next.done) return { path: next.value, events };
    events.push(next.value);
  }
}

const blobs = (options: FetchOptions) => join(options.cache, "models--org--tiny", "blobs");
const isWeights = (path: string) => path.includes("model.safetensors");

test("a model arrives in the layout of Hugging Face's cache, and is then not asked for again", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const { path, events } = await fetchAll("org/tiny", options);
  const repository = join(options.cache, "models--org--tiny");
  assert.equal(path, join(repository, "snapshots", COMMIT));
  assert.equal(readFileSync(join(repository, "refs", "main"), "utf8"), COMMIT);
  assert.deepEqual(readdirSync(path).sort(), ["config.json", "model.safetensors", "tokenizer.json"]);
  assert.equal(readlinkSync(join(path, "model.safetensors")), join("..", "..", "blobs", sha256(weights)));
  assert.equal(readlinkSync(join(path, "config.json")), join("..", "..", "blobs", gitHash(files[1]!.bytes)));
  assert.ok(lstatSync(join(path, "tokenizer.json")).isSymbolicLink());
  assert.deepEqual(readFileSync(join(path, "model.safetensors")), weights);
  assert.deepEqual(readdirSync(blobs(options)).length, 3);
  const total = weights.length + files[1]!.bytes.length + 2;
  assert.deepEqual(events[0], { kind: "started", commit: COMMIT, files: 3, bytes: total });
  assert.deepEqual(events.at(-1), { kind: "progress", done: total, total, waiting: false });
  const asked = hub.requests.length;
  for (const text of ["org/tiny", "org/tiny@main", `org/tiny@${COMMIT}`]) {
    assert.equal((await fetchAll(text, options)).path, path);
    assert.equal((await fetchAll(text, { ...options, offline: true })).path, path);
  }
  assert.equal(hub.requests.length, asked);
});

test("a cut connection is taken up where it broke", async () => {
  const hub = await play();
  let cuts = 0;
  hub.fault = (path) => (isWeights(path) && cuts++ < 2 ? { after: 100_000 } : undefined);
  const { path, events } = await fetchAll("org/tiny", optionsFor(hub));
  assert.deepEqual(readFileSync(join(path, "model.safetensors")), weights);
  const ranges = hub.requests.filter(({ host }) => host === "store").map(({ range }) => range);
  assert.deepEqual(ranges, [undefined, "bytes=100000-", "bytes=200000-"]);
  assert.equal(events.filter(({ kind }) => kind === "retrying").length, 2);
});

test("what an ended process has left is taken up, and the earlier bytes are checked too", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const left = join(blobs(options), `${sha256(weights)}.codefudge.incomplete`);
  const leave = (bytes: Buffer) => {
    mkdirSync(dirname(left), { recursive: true });
    writeFileSync(left, bytes);
  };
  leave(weights.subarray(0, 123_456));
  const { path } = await fetchAll("org/tiny", options);
  assert.equal(hub.requests.find(({ host }) => host === "store")?.range, "bytes=123456-");
  assert.deepEqual(readFileSync(join(path, "model.safetensors")), weights);

  rmSync(options.cache, { recursive: true });
  const spoiled = Buffer.from(weights.subarray(0, 50_000));
  spoiled[7]! ^= 1;
  leave(spoiled);
  await assert.rejects(fetchAll("org/tiny", options), {
    name: "UserError",
    message: /the hash .* for model\.safetensors, found .*removed, run this again/,
  });
  assert.ok(!existsSync(left));
  assert.deepEqual(
    readFileSync(join((await fetchAll("org/tiny", options)).path, "model.safetensors")),
    weights,
  );
});

test("a server that gives no parts is read from the beginning", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const left = join(blobs(options), `${gitHash(files[1]!.bytes)}.codefudge.incomplete`);
  mkdirSync(dirname(left), { recursive: true });
  writeFileSync(left, '{"mo');
  hub.parts = false;
  const { path } = await fetchAll("org/tiny", options);
  assert.equal(readFileSync(join(path, "config.json"), "utf8"), '{"model_type":"llama"}');
});

test("other bytes than the hub has promised never get a name", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const other = Buffer.from(weights);
  other[250_000]! ^= 8;
  hub.fault = (path) => (isWeights(path) ? { bytes: other } : undefined);
  await assert.rejects(fetchAll("org/tiny", options), {
    name: "UserError",
    message: /the hash .*, found [0-9a-f]{64}: it was damaged/,
  });
  hub.fault = (path) => (isWeights(path) ? { bytes: Buffer.concat([weights, weights]) } : undefined);
  await assert.rejects(fetchAll("org/tiny", options), {
    name: "UserError",
    message: /300000 bytes .*, found more/,
  });
  assert.ok(!readdirSync(blobs(options)).some((name) => name.startsWith(sha256(weights))));
  assert.ok(!existsSync(join(options.cache, "models--org--tiny", "snapshots")));
});

test("a busy server is asked again, one that is gone is a sentence", async () => {
  const hub = await play();
  let refusals = 0;
  hub.fault = (path) => (isWeights(path) && refusals++ < 2 ? { status: 503 } : undefined);
  await fetchAll("org/tiny", optionsFor(hub));
  hub.fault = () => ({ status: 503 });
  await assert.rejects(fetchAll("org/tiny", optionsFor(hub)), {
    name: "UserError",
    message: /Expected to reach the hub for org\/tiny, found .*status 503; what has arrived is kept/,
  });
  await hubs.splice(hubs.indexOf(hub), 1)[0]!.close();
  await assert.rejects(fetchAll("org/tiny", optionsFor(hub)), {
    name: "UserError",
    message: /ECONNREFUSED.*run this again/,
  });
});

test("a connection that falls silent counts as cut", async () => {
  const hub = await play();
  let silences = 0;
  hub.delay = 5;
  hub.fault = (path) => {
    if (isWeights(path)) hub.delay = silences++ === 0 ? 700 : 0;
    return undefined;
  };
  const { events } = await fetchAll("org/tiny", optionsFor(hub, { timeout: 0.3 }));
  assert.ok(
    events.some((event) => event.kind === "retrying" && event.reason.includes("no byte for 0.3 seconds")),
  );
});

test("offline, nothing is asked", async () => {
  const hub = await play();
  const options = optionsFor(hub, { offline: true });
  await assert.rejects(fetchAll("org/tiny@v1", options), {
    name: "UserError",
    message: /org\/tiny@v1 in .*found no complete copy, and HF_HUB_OFFLINE forbids/,
  });
  assert.equal(hub.requests.length, 0);
});

test("the token goes to the hub and to no other host", async () => {
  const hub = await play("hf_secret");
  await assert.rejects(fetchAll("org/tiny", optionsFor(hub)), {
    name: "UserError",
    message: /found no access; .*HF_TOKEN/,
  });
  const before = hub.requests.length;
  await fetchAll("org/tiny", optionsFor(hub, { token: "hf_secret" }));
  const since = hub.requests.slice(before);
  assert.ok(since.some(({ host }) => host === "store"));
  for (const { host, token } of since) assert.equal(token, host === "hub" ? "Bearer hf_secret" : undefined);
});

test("one GGUF file of several, a revision with slashes, and what is not there", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const { path } = await fetchAll("org/tiny-GGUF:q8_0", options);
  assert.ok(path.endsWith(join(COMMIT, "tiny-Q8_0.gguf")));
  assert.equal((await fetchAll("org/tiny-GGUF:Q8_0", { ...options, offline: true })).path, path);
  await fetchAll("org/tiny@refs/pr/1", options);
  assert.equal(
    readFileSync(join(options.cache, "models--org--tiny", "refs", "refs", "pr", "1"), "utf8"),
    COMMIT,
  );
  const refuses = (text: string, message: RegExp) =>
    assert.rejects(fetchAll(text, optionsFor(hub)), { name: "UserError", message });
  await refuses(
    "org/tiny-GGUF@main",
    /one GGUF file in org\/tiny-GGUF, found tiny-Q4_0\.gguf, tiny-Q8_0\.gguf: say which/,
  );
  await refuses("org/tiny-GGUF:Q5_0", /with Q5_0 in its name .*found tiny-Q4_0\.gguf/);
  await refuses("org/empty", /found no files/);
  await refuses("org/none", /found no such model or revision/);
  await refuses("org/tiny@v9", /the model org\/tiny@v9 at .*found no such/);
});

test("an interruption leaves what has arrived, and no lock", async () => {
  const hub = await play();
  const controller = new AbortController();
  const options = optionsFor(hub, { signal: controller.signal });
  hub.delay = 20;
  const generator = fetchModel(parseHubName("org/tiny")!, options);
  const reason = new Error("stopped");
  await assert.rejects(async () => {
    for await (const event of generator) {
      if (event.kind === "progress" && event.done > 50_000) controller.abort(reason);
    }
  }, reason);
  const left = readdirSync(blobs(options)).filter((name) => name.endsWith(".incomplete"));
  assert.equal(left.length, 1);
  assert.deepEqual(readdirSync(join(options.cache, ".locks", "models--org--tiny")), []);
  hub.delay = 0;
  await fetchAll("org/tiny", { ...options, signal: new AbortController().signal });
  assert.match(hub.requests.at(-1)?.range ?? "", /^bytes=\d{5,}-$/);
});

/** Fetches in another process; gives its exit code and the waiting events it saw. */
function fetchElsewhere(options: FetchOptions): Promise<{ code: number | null; waited: boolean }> {
  const script = `
    const { fetchModel } = await import(${JSON.stringify(new URL("hub-fetch.ts", import.meta.url).href)});
    let waited = false;
    const name = { repo: "org/tiny", revision: "main", part: undefined };
    for await (const event of fetchModel(name, ${JSON.stringify(options)})) waited ||= event.waiting === true;
    console.log(waited);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (part) => {
    text += part;
  });
  return new Promise((done) => child.on("close", (code) => done({ code, waited: text.includes("true") })));
}

test("two processes at once share one download", async () => {
  const hub = await play();
  hub.delay = 60;
  const options = optionsFor(hub);
  const ends = await Promise.all([fetchElsewhere(options), fetchElsewhere(options), fetchElsewhere(options)]);
  assert.deepEqual(
    ends.map(({ code }) => code),
    [0, 0, 0],
  );
  assert.ok(
    ends.some(({ waited }) => waited),
    "none has waited",
  );
  assert.equal(hub.requests.filter(({ host }) => host === "store").length, 1);
  assert.deepEqual(readFileSync(join(blobs(options), sha256(weights))), weights);
});

test("the lock of a process that is gone is taken over", async () => {
  const hub = await play();
  const options = optionsFor(hub);
  const lock = join(options.cache, ".locks", "models--org--tiny", `${sha256(weights)}.codefudge.lock`);
  mkdirSync(dirname(lock), { recursive: true });
  const { hostname } = await import("node:os");
  const gone = spawn(process.execPath, ["-e", ""]);
  await new Promise((done) => gone.on("close", done));
  writeFileSync(lock, JSON.stringify({ pid: gone.pid, host: hostname() }));
  await fetchAll("org/tiny", options);
  assert.ok(!existsSync(lock));
});
