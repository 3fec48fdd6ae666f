// The one place of outgoing connections: asks a hub what a model consists of, and opens its files for reading from any
// byte on. It sends the name that was asked for, a token where there is one, and nothing else. It writes nothing.
// Source: huggingface_hub:src/huggingface_hub/{hf_api,file_download}.py.

import { UserError } from "../base/errors.ts";
import { showReason, showText } from "../base/show.ts";
import { type HubName, isCommit } from "./hub-name.ts";

export type HubSettings = {
  /** Such as https://huggingface.co. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Seconds without a byte after which a connection counts as cut. */
  readonly timeout: number;
};

export const DEFAULT_ENDPOINT = "https://huggingface.co";

export type HubFile = {
  readonly name: string;
  readonly size: number;
  /** Hex; a large file's sha256, a small one's sha1 as git counts it. It is the blob's name in the cache. */
  readonly hash: string;
};

export type HubListing = { readonly commit: string; readonly files: readonly HubFile[] };

/** A connection that failed and may work when tried again. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

const LONGEST_LISTING = 32 * 1024 * 1024;

/** The commit that a revision means and the files in it, with size and hash. */
export async function listFiles(
  hub: HubSettings,
  name: HubName,
  signal: AbortSignal | undefined,
): Promise<HubListing> {
  const revision = encodeURIComponent(name.revision);
  const url = `${hub.endpoint}/api/models/${name.repo}/revision/${revision}?blobs=true`;
  const answer = await request(hub, { url, name, headers: {}, signal });
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body) {
    length += part.length;
    if (length > LONGEST_LISTING) throw foreign(hub, "a short listing, found one that does not end");
    parts.push(part);
  }
  return parseListing(hub, Buffer.concat(parts).toString("utf8"));
}

function parseListing(hub: HubSettings, text: string): HubListing {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw foreign(hub, `JSON, found a text that does not parse: ${showReason(error)}`);
  }
  const { sha, siblings } = (value ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) {
    throw foreign(hub, "a commit (sha) and a list of files (siblings), found others");
  }
  return { commit: sha, files: siblings.flatMap(parseFile) };
}

type Sibling = { rfilename?: unknown; size?: unknown; blobId?: unknown; lfs?: { sha256?: unknown } | null };

/** A file without a hash cannot be checked and counts as not there. */
function parseFile(entry: unknown): HubFile[] {
  const { rfilename: name, size, blobId, lfs } = (entry ?? {}) as Sibling;
  const sha256 = typeof lfs === "object" ? lfs?.sha256 : undefined;
  const hash = sha256 ?? blobId;
  const fits =
    typeof name === "string" &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    typeof hash === "string" &&
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash);
  return fits ? [{ name, size: size as number, hash }] : [];
}

/** A file's bytes from `offset` on; `offset` in the answer is 0 where the server gives no parts. */
export async function openFile(
  hub: HubSettings,
  file: { readonly name: HubName; readonly commit: string; readonly path: string; readonly offset: number },
  signal: AbortSignal | undefined,
): Promise<{ readonly offset: number; readonly body: AsyncIterable<Uint8Array> }> {
  const { name, offset } = file;
  const url = `${hub.endpoint}/${name.repo}/resolve/${file.commit}/${encodeURIComponent(file.path)}`;
  const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const answer = await request(hub, { url, name, headers, signal });
  const start = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "")?.[1];
  const resumed = answer.status === 206 && Number(start) === offset;
  if (answer.status === 206 && !resumed) throw foreign(hub, `bytes from ${offset} on, found others`);
  return { offset: resumed ? offset : 0, body: answer.body };
}

type Ask = {
  readonly url: string;
  readonly name: HubName;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
};

type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
};

async function request(hub: HubSettings, { url, name, headers, signal }: Ask): Promise<Answer> {
  const quiet = new QuietTimer(hub.timeout, signal);
  try {
    // On the way to another host (large files are kept elsewhere) `fetch` leaves the token behind.
    const response = await fetch(url, {
      headers: {
        ...headers,
        "user-agent": "codefudge",
        "accept-encoding": "identity",
        ...(hub.token === undefined ? {} : { authorization: `Bearer ${hub.token}` }),
      },
      signal: quiet.signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(hub, response.status, name);
    }
    return {
      status: response.status,
      headers: response.headers,
      body: pieces(response, { hub, quiet, signal }),
    };
  } catch (error) {
    quiet.stop();
    throw translated(error, hub, signal);
  }
}

async function* pieces(
  response: Response,
  { hub, quiet, signal }: { hub: HubSettings; quiet: QuietTimer; signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  try {
    // The stream of a fetch is an async iterable in Node; the type of the web does not say so.
    for await (const piece of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
      quiet.restart();
      yield piece;
    }
  } catch (error) {
    throw translated(error, hub, signal);
  } finally {
    quiet.stop();
  }
}

/** Aborts when nothing has come for a while, or when the work is stopped from outside. */
class QuietTimer {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  readonly #outer: AbortSignal | undefined;
  readonly #forward = () => this.#controller.abort(this.#outer?.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(seconds: number, outer: AbortSignal | undefined) {
    outer?.throwIfAborted();
    this.#milliseconds = seconds * 1000;
    this.#outer = outer;
    outer?.addEventListener("abort", this.#forward, { once: true });
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    clearTimeout(this.#timer);
    const late = new ConnectionError(`no byte for ${this.#milliseconds / 1000} seconds`);
    this.#timer = setTimeout(() => this.#controller.abort(late), this.#milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#forward);
  }
}

/** An interruption stays one, words for a person stay as they are, the rest is a connection that failed. */
function translated(error: unknown, hub: HubSettings, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof UserError || error instanceof ConnectionError) return error;
  const cause = (error as { cause?: unknown }).cause ?? error;
  return new ConnectionError(`${showText(hub.endpoint)}: ${showReason(cause)}`, { cause: error });
}

const HELP: Readonly<Record<number, string>> = {
  401: "no access; sign in with `hf auth login` or set HF_TOKEN, and check the name",
  403: "no access; ask for it on the model's page and set HF_TOKEN to a token of that account",
  404: "no such model or revision; check the name",
};

function refusal(hub: HubSettings, status: number, name: HubName): Error {
  if (status === 408 || status === 429 || status >= 500) {
    return new ConnectionError(`${showText(hub.endpoint)}: status ${status}`);
  }
  const where = `${name.repo}${name.revision === "main" ? "" : `@${name.revision}`}`;
  return new UserError(
    `Expected the model ${where} at ${showText(hub.endpoint)}, found ${HELP[status] ?? `status ${status}; try again later`}`,
  );
}

function foreign(hub: HubSettings, wanted: string): UserError {
  return new UserError(`From ${showText(hub.endpoint)}, expected ${wanted}; check HF_ENDPOINT`);
}
