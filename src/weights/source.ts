// Named arrays and where they come from. Names, shapes and layouts are Hugging Face's, whatever the file format:
// a reader that finds other names or another row order (GGUF) undoes that here.

/** Storage type as its format writes it: F32, F16, BF16, Q8_0, Q4_0, Q4_1… */
export type ArrayInfo = {
  readonly name: string;
  readonly storage: string;
  readonly shape: readonly number[];
};

/** Plain data of a tokenizer as found beside or inside the weights. */
export type TokenizerData =
  | { readonly kind: "files"; readonly files: Readonly<Record<string, string | Uint8Array>> }
  | { readonly kind: "gguf"; readonly metadata: Readonly<Record<string, unknown>> };

/** An opened model: what it is, what arrays it has, and their values when asked for. `read` throws a `UserError` for an
 * array that is not there. */
export type WeightSource = {
  /** What to call it in messages and model cards: the path as given. */
  readonly name: string;
  /** Keys of `config.json`, `model_type` among them. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, ArrayInfo>;
  readonly tokenizer: TokenizerData;
  /** Values of one array as f32, row-major in the Hugging Face layout. */
  read(name: string): Float32Array<ArrayBuffer>;
  /** Identifies the weights: sha256 over the files' bytes, hex. Computed when first asked. */
  hash(): string;
  /** Closes files. */
  dispose(): void;
};
