// The public surface: what a program of one's own needs, each name from the file that owns it. Nothing in src imports
// this file. docs/api.md, written from the docstrings of these names, says what each takes and gives.

export type { Adapter, LoraConfig } from "./adapters/adapter.ts";
export { createLora } from "./adapters/lora.ts";
export { readPeft, writePeft } from "./adapters/peft.ts";
export { UsageError, UserError } from "./base/errors.ts";
export { defaultsOf } from "./base/options.ts";
export { createRandom } from "./base/random.ts";
export type { Result } from "./base/result.ts";
export type { Example, Split } from "./dataset/example.ts";
export { type Format, type FormatName, formats } from "./dataset/format.ts";
export { type Rendered, renderExamples } from "./dataset/render.ts";
export { type Request, requestOf } from "./dataset/request.ts";
export { type DatasetManifest, readExamples, readManifest } from "./dataset/store.ts";
export { measureLikelihood, measureWriting } from "./evaluation/evaluate.ts";
export { rouge } from "./evaluation/rouge.ts";
export { type Base, openBase } from "./generation/base.ts";
export { Decoder, type DecoderOptions } from "./generation/decoder.ts";
export { type Suggestion, suggest, type Writer } from "./generation/suggest.ts";
export { type HarvestEvent, harvest, historyOptions } from "./history/harvest.ts";
export { writeDataset } from "./history/write.ts";
export type { Model } from "./models/model.ts";
export { createModel } from "./models/table.ts";
export { applyPatch } from "./patch/apply.ts";
export { createPatch } from "./patch/create.ts";
export type { Hunk, Line, Patch } from "./patch/hunk.ts";
export { parsePatch } from "./patch/parse.ts";
export { printPatch } from "./patch/print.ts";
export { tokenizerFromGguf } from "./tokenizer/gguf.ts";
export { loadTokenizer } from "./tokenizer/load.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
export type { Sequence } from "./training/batch.ts";
export { Engine, type EngineOptions } from "./training/engine.ts";
export { resolveOptions, trainOptions } from "./training/options.ts";
export { type TrainEvent, type TrainRun, train } from "./training/train.ts";
export { openWeights } from "./weights/open.ts";
export type { WeightSource } from "./weights/source.ts";
