// What is to be trained, on what, and where it goes: a training run as a person asked for it.

import type { AdapterConfig } from "../../adapters/adapter.ts";
import type { FormatName } from "../../dataset/format.ts";
import type { TrainOptions } from "../../training/options.ts";

/** A finished run to go on from, on commits that it has not seen. */
export type Continued = {
  readonly folder: string;
  readonly identity: string;
  /** Share of examples among those trained that the earlier run has seen. */
  readonly old_share: number;
};

export type TrainJob = {
  readonly dataset: string;
  readonly run: string;
  readonly model: string;
  readonly format: FormatName;
  readonly max_files: number;
  /** What is trained: an adapter of this kind, or every weight. */
  readonly adapter: AdapterConfig | null;
  readonly options: TrainOptions;
  /** The base's tokenizer is extended by what it cannot write, and by so many words at most; `null` to leave it. */
  readonly extend_tokenizer: number | null;
  /** Where the options come from, by name; it has no say of its own. */
  readonly recipe: string | null;
  readonly continues: Continued | null;
  readonly restart: boolean;
  /** Of the program, for the model card. */
  readonly version: string;
  /** Whether all is looked at and estimated, and nothing trained or written. */
  readonly dry_run: boolean;
};
