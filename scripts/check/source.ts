// What every check reads: the TypeScript files of a tree, parsed once, and the imports of each.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { listFiles } from "../setup.mjs";

export type Source = {
  /** Relative to the tree's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
};

export type Import = { readonly specifier: string; readonly line: number };

/** The TypeScript files below some folders of a tree. */
export function readSources(root: string, folders: readonly string[]): Source[] {
  const paths = folders.flatMap((folder) => listFiles(root, folder));
  return paths.filter((path) => /\.(ts|mts|mjs)$/.test(path)).map((path) => readSource(root, path));
}

export function readSource(root: string, path: string): Source {
  const text = readFileSync(join(root, path), "utf8");
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

export function isTest(path: string): boolean {
  return /\.test\.(ts|mjs)$/.test(path);
}

export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

/** Every import, re-export, dynamic import and `require` with a literal name, type-only ones included. */
export function importsOf(source: Source): Import[] {
  return specifiersOf(source).flatMap((specifier) =>
    ts.isStringLiteralLike(specifier) ? [{ specifier: specifier.text, line: lineOf(source, specifier) }] : [],
  );
}

/** The lines of imports whose name is computed, so that nobody can say what they import. */
export function computedImportsOf(source: Source): number[] {
  return specifiersOf(source)
    .filter((specifier) => !ts.isStringLiteralLike(specifier))
    .map((specifier) => lineOf(source, specifier));
}

function specifiersOf(source: Source): ts.Expression[] {
  const found: ts.Expression[] = [];
  visit(source.tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier) found.push(specifier);
  });
  return found;
}

/** The path a relative import means, from the tree's root; `undefined` for a package. */
export function resolveImport(source: Source, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(dirname(source.path), specifier) : undefined;
}

export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

/** The text of a file of the tree, or `undefined` when there is none. */
export function readPage(root: string, path: string): string | undefined {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
}

function specifierOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isCallExpression(node) && isImporter(node.expression)) return node.arguments[0];
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return node.argument.literal as ts.Expression;
  }
  return undefined;
}

function isImporter(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require")
  );
}
