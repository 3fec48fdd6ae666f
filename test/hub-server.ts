// A server that plays the hub for tests: repositories in memory, large files on another host (another port), tokens,
// parts of files, and faults on demand. Addresses and headers as huggingface_hub uses them.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type PlayedFile = { readonly name: string; readonly bytes: Buffer; readonly large?: boolean };

export type PlayedRepository = {
  readonly commit: string;
  readonly files: readonly PlayedFile[];
  /** Without it, anybody may read. */
  readonly token?: string;
};

/** What goes wrong with one request for a file; called for each, in order. */
export type Fault = (
  path: string,
) => { readonly after?: number; readonly status?: number; readonly bytes?: Buffer } | undefined;

export type PlayedHub = {
  readonly endpoint: string;
  /** Requests so far: `host path range authorization`, the last two where there are any. */
  readonly requests: readonly { host: "hub" | "store"; path: string; range?: string; token?: string }[];
  /** Milliseconds before each piece of 16 kB. */
  delay: number;
  /** Whether it gives a file from the middle on. */
  parts: boolean;
  fault: Fault;
  close(): Promise<void>;
};

export async function playHub(repositories: Readonly<Record<string, PlayedRepository>>): Promise<PlayedHub> {
  const requests: { host: "hub" | "store"; path: string; range?: string; token?: string }[] = [];
  const note = (host: "hub" | "store", { url, headers }: IncomingMessage) => {
    requests.push({
      host,
      path: url ?? "",
      ...(headers.range === undefined ? {} : { range: headers.range }),
      ...(headers.authorization === undefined ? {} : { token: headers.authorization }),
    });
  };
  const played: { hub: PlayedHub | undefined } = { hub: undefined };
  const store = createServer((request, response) => {
    note("store", request);
    const [, repo, name] = /^\/store\/([^/]+\/[^/]+)\/(.+)$/.exec(request.url ?? "") ?? [];
    const file = repositories[repo ?? ""]?.files.find((candidate) => candidate.name === name);
    if (file === undefined) return void response.writeHead(404).end();
    void send(file.bytes, { request, response, hub: played.hub! });
  });
  const hub = createServer((request, response) => {
    note("hub", request);
    answer(request, response, { repositories, storeAt: addressOf(store), hub: played.hub! });
  });
  await Promise.all(
    [store, hub].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
  );
  played.hub = {
    endpoint: addressOf(hub),
    requests,
    delay: 0,
    parts: true,
    fault: () => undefined,
    async close() {
      for (const server of [hub, store]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
  return played.hub;
}

type Parts = {
  readonly repositories: Readonly<Record<string, PlayedRepository>>;
  readonly storeAt: string;
  readonly hub: PlayedHub;
};

function answer(request: IncomingMessage, response: ServerResponse, parts: Parts): void {
  const { repositories, storeAt, hub } = parts;
  const url = request.url ?? "";
  const [, repo, rest = ""] = /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(.*)$/.exec(url) ?? [];
  const repository = repositories[repo ?? ""];
  if (repository === undefined) return void response.writeHead(404).end();
  if (repository.token !== undefined && request.headers.authorization !== `Bearer ${repository.token}`) {
    return void response.writeHead(401).end();
  }
  if (url.startsWith("/api/")) {
    const revision = decodeURIComponent(/^revision\/([^?]+)/.exec(rest)?.[1] ?? "");
    if (!["main", "refs/pr/1", repository.commit].includes(revision))
      return void response.writeHead(404).end();
    return void response.writeHead(200, { "content-type": "application/json" }).end(listing(repository));
  }
  const [, commit, name] = /^resolve\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const file = repository.files.find((candidate) => candidate.name === name);
  if (file === undefined || (commit !== repository.commit && commit !== "main"))
    return void response.writeHead(404).end();
  const headers = {
    "x-repo-commit": repository.commit,
    etag: `"${gitHash(file.bytes)}"`,
    ...(file.large
      ? { "x-linked-etag": `"${sha256(file.bytes)}"`, "x-linked-size": String(file.bytes.length) }
      : {}),
  };
  if (file.large)
    return void response.writeHead(302, { ...headers, location: `${storeAt}/store/${repo}/${name}` }).end();
  for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
  void send(file.bytes, { request, response, hub });
}

function listing({ commit, files }: PlayedRepository): string {
  return JSON.stringify({
    sha: commit,
    siblings: files.map(({ name, bytes, large }) => ({
      rfilename: name,
      size: bytes.length,
      blobId: gitHash(bytes),
      ...(large ? { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } } : {}),
    })),
  });
}

async function send(
  whole: Buffer,
  { request, response, hub }: { request: IncomingMessage; response: ServerResponse; hub: PlayedHub },
): Promise<void> {
  const fault = hub.fault(request.url ?? "");
  if (fault?.status !== undefined) return void response.writeHead(fault.status).end();
  const bytes = fault?.bytes ?? whole;
  const range = hub.parts ? (request.headers.range ?? "") : "";
  const start = Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0);
  const part = bytes.subarray(start);
  response.setHeader("content-length", part.length);
  if (start > 0) response.setHeader("content-range", `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
  response.writeHead(start > 0 ? 206 : 200);
  if (request.method === "HEAD") return void response.end();
  const end = fault?.after ?? part.length;
  for (let at = 0; at < end && !response.destroyed; at += 16384) {
    if (hub.delay > 0) await new Promise((done) => setTimeout(done, hub.delay));
    response.write(part.subarray(at, Math.min(end, at + 16384)));
  }
  if (fault?.after === undefined) response.end();
  // A cut connection: what was written arrives, the rest never does.
  else setTimeout(() => response.destroy(), 30);
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function gitHash(bytes: Buffer): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}
