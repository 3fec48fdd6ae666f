// From what a person typed after --model to a path: what lies there, else a model that this machine already has, else
// one that is fetched from the hub. Variables of the environment mean what they mean to Hugging Face's and Ollama's
// own tools (huggingface_hub:docs/source/en/package_reference/environment_variables.md).

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "../base/errors.ts";
import { DEFAULT_ENDPOINT } from "../weights/hub.ts";
import { type FetchEvent, type FetchOptions, fetchModel } from "../weights/hub-fetch.ts";
import { type HubName, parseHubName } from "../weights/hub-name.ts";
import { findInStores, type Stores } from "../weights/stores.ts";
import type { Progress } from "./progress.ts";
import { formatBytes } from "./units.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What a search for a model needs of a command's context. */
export type Seeker = {
  readonly env: Environment;
  readonly cwd: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
};

/** The path of a model folder or a .gguf file; fetches it where it must, and says so. A text that names nothing is
 * given back as a path, for whoever opens it to say what is wrong. */
export async function locateModel(text: string, seeker: Seeker): Promise<string> {
  const { env, cwd, progress, signal } = seeker;
  const path = resolve(cwd, withHome(text, env));
  if (existsSync(path)) return path;
  const found = findInStores(text, storesOf(env));
  if (found !== undefined) {
    progress.line(`Taking ${text} from ${found.where}: ${found.path}`);
    return found.path;
  }
  const name = parseHubName(text);
  return name === undefined || text.endsWith(".gguf")
    ? path
    : fetchWith(name, { ...hubOptions(env), signal }, progress);
}

async function fetchWith(name: HubName, options: FetchOptions, progress: Progress): Promise<string> {
  const events = fetchModel(name, options);
  const label = `fetch ${name.repo}`;
  for (;;) {
    const next = await events.next();
    if (next.done) {
      progress.finish();
      return next.value;
    }
    report(next.value, { label, progress, from: `${name.repo} from ${options.endpoint}` });
  }
}

function report(
  event: FetchEvent,
  { label, progress, from }: { label: string; progress: Progress; from: string },
): void {
  if (event.kind === "started") {
    progress.line(
      `Fetching ${from}: ${event.files === 1 ? "1 file" : `${event.files} files`}, ${formatBytes(event.bytes)}`,
    );
  } else if (event.kind === "progress") {
    const { done, total, waiting } = event;
    const note = `${formatBytes(done)} of ${formatBytes(total)}${waiting ? ", another process fetches it" : ""}`;
    progress.update({ label, done, total, note });
  } else {
    progress.warn(`Trying ${event.file} again in ${event.seconds} s: ${event.reason}`);
  }
}

/** Where Hugging Face's tools keep models and how they reach the hub. */
export function hubOptions(env: Environment): Omit<FetchOptions, "signal"> {
  const home = withHome(
    env.HF_HOME || join(env.XDG_CACHE_HOME || join(homeOf(env), ".cache"), "huggingface"),
    env,
  );
  const cache = withHome(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub"), env);
  return {
    endpoint: endpointOf(env),
    cache: resolve(cache),
    token: tokenOf(env, home),
    offline: isTrue(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE),
    timeout: Math.max(1, Number(env.HF_HUB_DOWNLOAD_TIMEOUT) || 10) * 3,
  };
}

function endpointOf(env: Environment): string {
  const text = (env.HF_ENDPOINT || DEFAULT_ENDPOINT).replace(/\/+$/, "");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ["http:", "https:"].includes(url.protocol)) return text;
  throw new UserError(
    `Expected HF_ENDPOINT to be an address such as ${DEFAULT_ENDPOINT}, found "${text}": unset it or mend it`,
  );
}

/** The token in the environment, else the one that `hf auth login` has left. */
function tokenOf(env: Environment, home: string): string | undefined {
  const given = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN)?.trim();
  if (given) return given;
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const path = withHome(env.HF_TOKEN_PATH || join(home, "token"), env);
  return existsSync(path) ? readFileSync(path, "utf8").trim() || undefined : undefined;
}

/** Where Ollama and LM Studio keep models. */
export function storesOf(env: Environment): Stores {
  const home = homeOf(env);
  const own = env.OLLAMA_MODELS;
  return {
    ollama: own
      ? [withHome(own, env)]
      : [join(home, ".ollama", "models"), "/usr/share/ollama/.ollama/models"],
    lmStudio: [join(home, ".lmstudio", "models"), join(home, ".cache", "lm-studio", "models")],
  };
}

function homeOf(env: Environment): string {
  return env.HOME || env.USERPROFILE || homedir();
}

function withHome(path: string, env: Environment): string {
  return path === "~" || path.startsWith("~/") ? join(homeOf(env), path.slice(1)) : path;
}

function isTrue(text: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes((text ?? "").toUpperCase());
}
