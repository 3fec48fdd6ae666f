// tokenizer.json and tokenizer_config.json from a SentencePiece model, per family of models the same as transformers 5
// makes them: src/transformers/models/{t5,llama,xlnet}/tokenization_*.py, tokenization_utils_tokenizers.py,
// convert_slow_tokenizer.py. It does not know where the model came from.

import { UserError } from "../base/errors.ts";
import { showValue } from "../base/show.ts";
import { type AddedToken, addedToken, isRecord } from "./json.ts";
import { type Merge, mergesOf } from "./merges.ts";
import { PIECE, type SentencePieceModel } from "./sentencepiece.ts";

export type Family = keyof typeof FAMILIES;

export type Conversion = {
  readonly family: Family;
  /** Keys of tokenizer_config.json, as far as it is there. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where they are known; else they follow from the pieces. */
  readonly merges?: readonly Merge[];
};

/** What stands for a space in pieces. */
const SPACE = "\u2581";

const named = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" } as const;

const FAMILIES = {
  t5: {
    kind: "unigram",
    tokens: { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" },
    pipeline: t5Pipeline,
  },
  xlnet: {
    kind: "unigram",
    tokens: { ...named, sep_token: "<sep>", pad_token: "<pad>", cls_token: "<cls>", mask_token: "<mask>" },
    pipeline: xlnetPipeline,
  },
  llama: { kind: "bpe", tokens: named, pipeline: llamaPipeline },
} as const;

const CLASSES: Readonly<Record<string, Family>> = {
  T5Tokenizer: "t5",
  XLNetTokenizer: "xlnet",
  LlamaTokenizer: "llama",
};

/** The family that tokenizer_config.json names by its class, or that the pieces look like; `name` is the file's. */
export function familyOf(
  name: string,
  model: SentencePieceModel,
  { tokenizer_class: className }: Readonly<Record<string, unknown>>,
): Family {
  const stated = typeof className === "string" ? CLASSES[className.replace(/Fast$/, "")] : guess(model);
  if (stated !== undefined && FAMILIES[stated].kind === model.kind) return stated;
  const known = Object.entries(CLASSES).map(([one, family]) => `${one} (${FAMILIES[family].kind})`);
  throw new UserError(
    `Expected the tokenizer of one of the families ${known.join(", ")} in ${name}, found ${model.kind} for ${showValue(className ?? guess(model))}: give a folder with its tokenizer.json`,
  );
}

function guess({ kind, pieces }: SentencePieceModel): Family {
  if (kind === "bpe") return "llama";
  return ["<sep>", "<cls>"].every((text) => pieces.some(({ piece }) => piece === text)) ? "xlnet" : "t5";
}

/** The texts of both files. A token that the configuration names has to be a piece. */
export function sentencePieceFiles(
  model: SentencePieceModel,
  conversion: Conversion,
): { readonly "tokenizer.json": string; readonly "tokenizer_config.json": string } {
  const config = {
    ...FAMILIES[conversion.family].tokens,
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...conversion.config,
  };
  const json = tokenizerJson(withExtraIds(model, conversion), { ...conversion, config });
  return {
    "tokenizer.json": `${JSON.stringify(json)}\n`,
    "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}

/** T5's sentinels stand behind the pieces, the last one first. */
function withExtraIds(model: SentencePieceModel, { family, config }: Conversion): SentencePieceModel {
  const given = config.extra_ids;
  const count = typeof given === "number" && Number.isInteger(given) && given >= 0 ? given : 100;
  if (family !== "t5" || model.pieces.some(({ piece }) => EXTRA_ID.test(piece))) return model;
  const extra = Array.from({ length: Math.min(count, 1000) }, (_, i) => ({
    piece: `<extra_id_${count - 1 - i}>`,
    score: 0,
    type: PIECE.control,
  }));
  return { ...model, pieces: [...model.pieces, ...extra] };
}

const EXTRA_ID = /^<extra_id_\d+>$/;

function tokenizerJson(model: SentencePieceModel, conversion: Conversion): unknown {
  const ids = new Map(model.pieces.map(({ piece }, id) => [piece, id]));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(model, conversion, ids),
    ...FAMILIES[conversion.family].pipeline(model, conversion.config, ids),
    model: model.kind === "unigram" ? unigram(model) : bytefallbackBpe(model, conversion.merges),
  };
}

/** Control pieces and those that the configuration names are special; user-defined ones are only taken whole. */
function addedTokens(
  { pieces }: SentencePieceModel,
  { family, config }: Conversion,
  ids: ReadonlyMap<string, number>,
): AddedToken[] {
  const special = new Set(Object.keys(FAMILIES[family].tokens).map((key) => tokenText(config[key])));
  const own = pieces.flatMap(({ piece, type }, id) => {
    const isSpecial = type === PIECE.control || (special.has(piece) && type !== PIECE.userDefined);
    return isSpecial || type === PIECE.userDefined ? [addedToken(piece, id, isSpecial)] : [];
  });
  return [...own, ...laterTokens(config, ids)];
}

/** Tokens that were added to the pieces afterwards: they follow them. */
function laterTokens({ added_tokens_decoder: added }: Config, ids: Ids): AddedToken[] {
  const entries = Object.entries(isRecord(added) ? added : {}).flatMap(([id, token]) => {
    const content = tokenText(token);
    return content === undefined || ids.has(content) ? [] : [{ id: Number(id), content, token }];
  });
  entries.sort((a, b) => a.id - b.id);
  return entries.map(({ id, content, token }, i) => {
    if (id !== ids.size + i) {
      throw new UserError(
        `Expected tokens from ${ids.size} on under added_tokens_decoder in tokenizer_config.json, found ${showValue(content)} as ${id}: the files belong to different tokenizers`,
      );
    }
    const flag = (name: string) => isRecord(token) && token[name] === true;
    return {
      ...addedToken(content, id, flag("special")),
      single_word: flag("single_word"),
      lstrip: flag("lstrip"),
      rstrip: flag("rstrip"),
      normalized: flag("normalized"),
    };
  });
}

/** A token as tokenizer_config.json writes it: its text, or an object with it. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = isRecord(value) ? value.content : undefined;
  return typeof content === "string" ? content : undefined;
}

function unigram({ pieces, unkId }: SentencePieceModel): unknown {
  return {
    type: "Unigram",
    unk_id: unkId,
    vocab: pieces.map(({ piece, score }) => [piece, score]),
    byte_fallback: false,
  };
}

function bytefallbackBpe({ pieces }: SentencePieceModel, merges: readonly Merge[] | undefined): unknown {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: true,
    ignore_merges: false,
    vocab: Object.fromEntries(pieces.map(({ piece }, id) => [piece, id])),
    merges: merges ?? mergesOf(pieces.map(({ piece }) => piece)),
  };
}

type Config = Readonly<Record<string, unknown>>;
type Ids = ReadonlyMap<string, number>;

function t5Pipeline({ charsmap }: SentencePieceModel, config: Config, ids: Ids) {
  const eos = required(config, "eos_token", ids);
  return {
    normalizer: charsmap === undefined ? null : precompiled(charsmap),
    ...spacedWords(),
    post_processor: template([A, eos.token(0)], [A, eos.token(0), B(0), eos.token(0)], [eos]),
  };
}

function xlnetPipeline({ charsmap }: SentencePieceModel, config: Config, ids: Ids) {
  const [sep, cls] = [required(config, "sep_token", ids), required(config, "cls_token", ids)];
  const replace = (text: string) => ({ type: "Replace", pattern: { String: text }, content: '"' });
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [
        replace("``"),
        replace("''"),
        { type: "NFKD" },
        { type: "StripAccents" },
        ...(config.do_lower_case === true ? [{ type: "Lowercase" }] : []),
        ...(charsmap === undefined ? [] : [precompiled(charsmap)]),
      ],
    },
    ...spacedWords(),
    post_processor: template(
      [A, sep.token(0), cls.token(2)],
      [A, sep.token(0), B(1), sep.token(1), cls.token(2)],
      [cls, sep],
    ),
  };
}

function llamaPipeline(_: SentencePieceModel, config: Config, ids: Ids) {
  const prefixed = config.add_prefix_space !== false;
  const scheme = !prefixed ? "never" : config.legacy === true ? "always" : "first";
  const around = (key: "bos" | "eos", type: number) => {
    if (config[`add_${key}_token`] !== true) return [];
    return [required(config, `${key}_token`, ids).token(type)];
  };
  const used = (["bos", "eos"] as const).filter((key) => config[`add_${key}_token`] === true);
  return {
    normalizer: null,
    pre_tokenizer: metaspace(scheme, false),
    post_processor: template(
      [...around("bos", 0), A, ...around("eos", 0)],
      [...around("bos", 0), A, ...around("eos", 0), ...around("bos", 1), B(1), ...around("eos", 1)],
      used.map((key) => required(config, `${key}_token`, ids)),
    ),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
  };
}

function precompiled(charsmap: Uint8Array): unknown {
  return { type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") };
}

/** Words between white space, each with its space in front. */
function spacedWords() {
  return {
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "WhitespaceSplit" }, metaspace("always", true)],
    },
    decoder: metaspace("always", true),
  };
}

function metaspace(scheme: "always" | "first" | "never", split: boolean): unknown {
  return { type: "Metaspace", replacement: SPACE, prepend_scheme: scheme, split };
}

const A = { Sequence: { id: "A", type_id: 0 } };
const B = (type: number) => ({ Sequence: { id: "B", type_id: type } });

type Special = { readonly text: string; readonly id: number; token(type: number): unknown };

function required(config: Config, key: string, ids: Ids): Special {
  const text = tokenText(config[key]);
  const id = text === undefined ? undefined : ids.get(text);
  if (text === undefined || id === undefined) {
    throw new UserError(
      `Expected the ${key} ${text ?? ""} among the pieces of the tokenizer, found none: name another in tokenizer_config.json`,
    );
  }
  return { text, id, token: (type) => ({ SpecialToken: { id: text, type_id: type } }) };
}

function template(
  single: readonly unknown[],
  pair: readonly unknown[],
  special: readonly Special[],
): unknown {
  const entries = special.map(({ text, id }) => [text, { id: text, ids: [id], tokens: [text] }]);
  return { type: "TemplateProcessing", single, pair, special_tokens: Object.fromEntries(entries) };
}
