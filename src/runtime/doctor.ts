// What can be known of onnxruntime before a program is compiled. Loads it when asked, so that a broken installation
// is an answer and not a crash.

import type { Result } from "../base/result.ts";

export type RuntimeFacts = {
  readonly version: string;
  /** Execution providers this build can use; `bundled` ones need nothing else installed. */
  readonly backends: readonly { readonly name: string; readonly bundled: boolean }[];
};

/** Version and execution providers, or why the library does not load. */
export async function describeRuntime(): Promise<Result<RuntimeFacts>> {
  try {
    const ort = await import("onnxruntime-node");
    const backends = ort.listSupportedBackends().map(({ name, bundled }) => ({ name, bundled }));
    return { ok: true, value: { version: ort.env.versions.node ?? ort.env.versions.common, backends } };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
