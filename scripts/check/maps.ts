// Pages that describe the code, held to it: the folders and sentences of docs/architecture.md, the steps of
// docs/tour.md, docs/dependencies.md against package.json, docs/cli.md against the option tables, and links.
//
// A step of docs/tour.md is a numbered paragraph ("1. …") that names one file and one function of it, in this form:
// `src/history/harvest.ts` … `harvest()`. The function must be declared in that file.

import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { listFiles } from "../setup.mjs";
import { readTable } from "./imports.ts";
import { readPage, readSource, visit } from "./source.ts";

const STEP = /`(src\/[\w./-]+\.ts)`[\s\S]*?`(\w+)\(\)`/;

/** Everything that some page says and the code does not, or the other way round; `reference` is docs/cli.md as it should be. */
export function checkMaps(root: string, reference: string): string[] {
  return [
    ...architectureProblems(root),
    ...tourProblems(root),
    ...dependencyProblems(root),
    ...referenceProblems(root, reference),
    ...linkProblems(root),
  ];
}

function architectureProblems(root: string): string[] {
  const page = readPage(root, "docs/architecture.md");
  if (page === undefined) return ["docs/architecture.md: missing"];
  const rows = readTable(page);
  const folders = readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  return [
    ...folders
      .filter((folder) => !rows.has(folder))
      .map((folder) => `docs/architecture.md: no row for src/${folder}`),
    ...[...rows].flatMap(([folder, { sentence }]) => {
      if (!folders.includes(folder))
        return [`docs/architecture.md: a row for src/${folder}, which does not exist`];
      return sentence.endsWith(".")
        ? []
        : [`docs/architecture.md: the row of ${folder} has no sentence ending in a full stop`];
    }),
  ];
}

function tourProblems(root: string): string[] {
  const page = readPage(root, "docs/tour.md");
  if (page === undefined) return ["docs/tour.md: missing"];
  const steps = page.split(/^(?=\d+\. )/m).slice(1);
  if (steps.length === 0) return ["docs/tour.md: no numbered steps"];
  return steps.flatMap((step) => {
    const number = `docs/tour.md: step ${Number.parseInt(step, 10)}`;
    const [, file, name] = STEP.exec(step.split("\n\n")[0]!) ?? [];
    if (file === undefined || name === undefined)
      return [`${number} names no file and function (\`src/a/b.ts\` … \`name()\`)`];
    if (!existsSync(join(root, file))) return [`${number} names ${file}, which does not exist`];
    return declares(root, file, name) ? [] : [`${number} names ${name}(), which ${file} does not declare`];
  });
}

function declares(root: string, file: string, name: string): boolean {
  let found = false;
  visit(readSource(root, file).tree, (node) => {
    const isDeclaration =
      ts.isFunctionDeclaration(node) || ts.isVariableDeclaration(node) || ts.isMethodDeclaration(node);
    if (isDeclaration && node.name?.getText() === name) found = true;
  });
  return found;
}

/** docs/dependencies.md has one section per dependency, headed `` ## `name` version ``. */
function dependencyProblems(root: string): string[] {
  const page = readPage(root, "docs/dependencies.md");
  if (page === undefined) return ["docs/dependencies.md: missing"];
  const manifest = JSON.parse(readPage(root, "package.json") ?? "{}") as Record<
    string,
    Record<string, string> | undefined
  >;
  const wanted = new Map(
    Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    }),
  );
  const found = new Map(
    [...page.matchAll(/^##+ `([^`]+)` (\S+)$/gm)].map(([, name, version]) => [name!, version!]),
  );
  return [
    ...[...wanted].flatMap(([name, version]) => {
      if (!found.has(name)) return [`docs/dependencies.md: no entry for ${name}`];
      if (found.get(name) === version) return [];
      return [`docs/dependencies.md: ${name} ${found.get(name)}, package.json has ${version}`];
    }),
    ...[...found.keys()]
      .filter((name) => !wanted.has(name))
      .map((name) => `docs/dependencies.md: an entry for ${name}, which package.json does not list`),
  ];
}

function referenceProblems(root: string, reference: string): string[] {
  if (readPage(root, "docs/cli.md") === reference) return [];
  return ["docs/cli.md: differs from the option tables, run `npm run docs`"];
}

/** Links between pages: the file, and the heading when the link names one. */
function linkProblems(root: string): string[] {
  const pages = [
    "README.md",
    "CONTRIBUTING.md",
    ...listFiles(root, "docs").filter((path) => path.endsWith(".md")),
  ];
  return pages.flatMap((path) => {
    const page = readPage(root, path);
    if (page === undefined) return [`${path}: missing`];
    return linksOf(page).flatMap((link) => linkProblem({ root, path, link }));
  });
}

function linkProblem({ root, path, link }: { root: string; path: string; link: string }): string[] {
  const [file, anchor] = link.split("#") as [string, string?];
  const target = file === "" ? path : join(dirname(path), decodeURIComponent(file));
  if (!existsSync(join(root, target))) return [`${path}: links to ${link}, which does not exist`];
  if (anchor === undefined || !target.endsWith(".md") || anchorsOf(readPage(root, target)!).has(anchor))
    return [];
  return [`${path}: links to ${link}, a heading that does not exist`];
}

function linksOf(page: string): string[] {
  const prose = page.replace(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** Anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens. */
function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
