// Who may import whom. IMPORTS is the design's table; docs/architecture.md shows the same table to people, and both
// are held to the real imports in both directions: nothing is imported that is not listed, and nothing is listed that
// is not imported, unless it is marked planned. Tests may import what they like. src/index.ts is for other programs:
// no file in src imports it. The doors say which file alone touches an outside thing.

import ts from "typescript";
import {
  computedImportsOf,
  importsOf,
  isTest,
  lineOf,
  readPage,
  readSources,
  resolveImport,
  type Source,
  visit,
} from "./source.ts";

/** What a folder may import; a name with `?` is planned: allowed, but not yet used. */
export type ImportTable = Readonly<Record<string, readonly string[] | "everything">>;

export const IMPORTS: ImportTable = {
  base: [],
  patch: ["base"],
  tokenizer: ["base"],
  filters: ["base"],
  history: ["base", "patch", "filters", "dataset"],
  dataset: ["base", "patch", "tokenizer"],
  forms: ["base", "patch", "dataset"],
  stats: ["base", "patch?", "tokenizer", "dataset"],
  weights: ["base"],
  graph: ["base"],
  runtime: ["base"],
  models: ["base", "graph"],
  adapters: ["base", "graph", "weights"],
  training: ["base", "graph", "weights", "runtime", "models", "adapters"],
  generation: ["base", "patch", "tokenizer", "dataset", "graph", "weights", "runtime", "models", "adapters"],
  evaluation: ["base", "patch", "dataset", "training", "generation"],
  cli: "everything",
};

/** One door to each outside thing: `names` are modules, `process.x` or globals; `only` are files, or folders ending in /. */
export type Door = {
  readonly what: string;
  readonly names: readonly string[];
  readonly only: readonly string[];
};

export const DOORS: readonly Door[] = [
  { what: "git is started", names: ["node:child_process", "child_process"], only: ["src/history/git.ts"] },
  {
    what: "secretlint is imported",
    names: ["@secretlint/secretlint-rule-preset-recommend", "@secretlint/types"],
    only: ["src/filters/secrets.ts"],
  },
  {
    what: "onnxruntime is imported",
    names: ["onnxruntime-node", "onnxruntime-common"],
    only: ["src/runtime/"],
  },
  {
    what: "outgoing connections are opened",
    names: [
      ...["http", "https", "http2", "net", "tls", "dgram"].flatMap((name) => [`node:${name}`, name]),
      ...["undici", "fetch", "WebSocket", "globalThis.fetch"],
    ],
    only: ["src/weights/hub.ts"],
  },
  {
    what: "the terminal is read and written",
    names: [
      ...["console", "node:process", "process"],
      ...["argv", "stdin", "stdout", "stderr", "exit", "exitCode"].map((name) => `process.${name}`),
    ],
    only: ["src/cli/"],
  },
  { what: "modules are loaded by a name of one's own making", names: ["node:module", "module"], only: [] },
  // git.ts picks from it the few variables that git is given.
  { what: "the environment is read", names: ["process.env"], only: ["src/cli/", "src/history/git.ts"] },
];

export function checkImports(root: string, table: ImportTable = IMPORTS): string[] {
  const sources = readSources(root, ["src"]).filter((source) => !isTest(source.path));
  return [
    ...pageProblems(root, table),
    ...folderProblems(sources, table),
    ...surfaceProblems(sources),
    ...cycleProblems(sources),
    ...sources.flatMap(doorProblems),
    ...sources.flatMap(computedProblems),
  ];
}

/** The table of docs/architecture.md: rows of `| \`folder\` | sentence | may import |`. */
export function readTable(page: string): Map<string, { sentence: string; imports: string }> {
  const rows = [...page.matchAll(/^\|\s*`([\w-]+)`\s*\|([^|]*)\|([^|]*)\|\s*$/gm)];
  return new Map(
    rows.map(([, folder, sentence, imports]) => [
      folder!,
      { sentence: sentence!.trim(), imports: imports!.trim() },
    ]),
  );
}

function pageProblems(root: string, table: ImportTable): string[] {
  const page = readPage(root, "docs/architecture.md");
  if (page === undefined) return ["docs/architecture.md: missing, and with it the table of imports"];
  const rows = readTable(page);
  return Object.entries(table).flatMap(([folder, allowed]) => {
    const wanted = printAllowed(allowed);
    const found = rows.get(folder)?.imports;
    if (found === wanted) return [];
    return [
      `docs/architecture.md: the row of ${folder} says "${found ?? "nothing, it is missing"}", scripts/check/imports.ts says "${wanted}"`,
    ];
  });
}

/** A cell of the table as docs/architecture.md writes it: `base, patch, dataset (planned)`. */
export function printAllowed(allowed: readonly string[] | "everything"): string {
  if (allowed === "everything") return allowed;
  return allowed.map((name) => name.replace(/\?$/, " (planned)")).join(", ") || "nothing";
}

function folderProblems(sources: readonly Source[], table: ImportTable): string[] {
  const used = new Set<string>();
  const problems: string[] = [];
  for (const source of sources) {
    const from = folderOf(source.path);
    if (from === undefined) continue;
    for (const { specifier, line } of importsOf(source)) {
      const to = folderOf(resolveImport(source, specifier) ?? "");
      if (to === undefined || to === from) continue;
      used.add(`${from} ${to}`);
      if (!mayImport(table, from, to))
        problems.push(`${source.path}:${line}: ${from} may not import ${to} (${specifier})`);
    }
  }
  return [...problems, ...staleProblems(table, used)];
}

function mayImport(table: ImportTable, from: string, to: string): boolean {
  const allowed = table[from];
  if (allowed === undefined) return false;
  return allowed === "everything" || allowed.some((name) => name.replace(/\?$/, "") === to);
}

function staleProblems(table: ImportTable, used: ReadonlySet<string>): string[] {
  return Object.entries(table).flatMap(([from, allowed]) =>
    (allowed === "everything" ? [] : allowed).flatMap((name) => {
      const to = name.replace(/\?$/, "");
      const isUsed = used.has(`${from} ${to}`);
      if (isUsed && name !== to)
        return [`imports: ${from} imports ${to}, remove the mark "planned" from the table`];
      if (!isUsed && name === to)
        return [`imports: ${from} may import ${to} but does not, the entry is stale`];
      return [];
    }),
  );
}

/** The folder of src a path lies in; `undefined` outside and for files directly in src. */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** The one file that stands directly in src: it may name any folder, and no file here may go through it. */
const SURFACE = "src/index.ts";

function surfaceProblems(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const stray =
      folderOf(source.path) === undefined && source.path !== SURFACE
        ? [`${source.path}: only ${SURFACE} stands directly in src, this belongs in a folder`]
        : [];
    const uses = importsOf(source)
      .filter(({ specifier }) => resolveImport(source, specifier) === SURFACE)
      .map(({ line }) => `${source.path}:${line}: ${SURFACE} is for other programs, import the file itself`);
    return [...stray, ...uses];
  });
}

function cycleProblems(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ specifier }) => resolveImport(source, specifier) ?? []),
    ]),
  );
  const problems: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) problems.push(`imports: a cycle, ${[...trail.slice(start), path].join(" -> ")}`);
    if (start >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return problems;
}

function doorProblems(source: Source): string[] {
  const uses = [
    ...importsOf(source).map(({ specifier, line }) => ({ name: specifier, line })),
    ...globalUses(source),
  ];
  return DOORS.filter((door) => !isBehind(door, source.path)).flatMap((door) =>
    uses
      .filter(({ name }) => door.names.includes(name))
      .map(
        ({ name, line }) =>
          `${source.path}:${line}: ${name}, but ${door.what} only in ${door.only.join(", ") || "no file at all"}`,
      ),
  );
}

function computedProblems(source: Source): string[] {
  return computedImportsOf(source).map(
    (line) => `${source.path}:${line}: an import whose name is computed, write the name itself`,
  );
}

function isBehind(door: Door, path: string): boolean {
  return door.only.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}

/** Uses of globals: `console`, calls such as `fetch(…)`, and members such as `process.env`. */
function globalUses(source: Source): { name: string; line: number }[] {
  const uses: { name: string; line: number }[] = [];
  visit(source.tree, (node) => {
    const line = () => lineOf(source, node);
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      uses.push({ name: `${node.expression.text}.${node.name.text}`, line: line() });
      if (node.expression.text === "console") uses.push({ name: "console", line: line() });
    }
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && ts.isIdentifier(node.expression)) {
      uses.push({ name: node.expression.text, line: line() });
    }
    // `const { env } = process` and `f(process)` would go round the members.
    if (ts.isIdentifier(node) && node.text === "process" && isValue(node)) {
      uses.push({ name: "process", line: line() });
    }
  });
  return uses;
}

function isValue(node: ts.Identifier): boolean {
  const parent = node.parent;
  return (
    (ts.isVariableDeclaration(parent) && parent.initializer === node) ||
    (ts.isCallExpression(parent) && parent.arguments.includes(node))
  );
}
