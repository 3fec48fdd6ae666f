// Budgets: lines of a file, lines and positional parameters of a function, no `any`, a ceiling for all of src.
// The limits are not raised; an exception is one line of EXCEPTIONS with its reason.

import ts from "typescript";
import { isTest, lineOf, readSources, type Source, visit } from "./source.ts";

export const LIMITS = { fileLines: 400, functionLines: 60, parameters: 3, totalLines: 44_000 } as const;

export type Exception = {
  readonly file: string;
  /** The function, or `*` for the whole file's own length. */
  readonly name: string;
  readonly reason: string;
};

export const EXCEPTIONS: readonly Exception[] = [];

/** Every budget that is exceeded, and every exception that is no longer needed. */
export function checkSizes(root: string, exceptions: readonly Exception[] = EXCEPTIONS): string[] {
  const sources = readSources(root, ["src", "bench", "scripts", "test"]);
  const used = new Set<Exception>();
  const excused = (file: string, name: string) => {
    const exception = exceptions.find((entry) => entry.file === file && entry.name === name);
    if (exception) used.add(exception);
    return exception !== undefined;
  };
  const problems = sources.flatMap((source) => [
    ...fileProblems(source).filter(() => !excused(source.path, "*")),
    ...nodeProblems(source, excused),
  ]);
  const stale = exceptions.filter((entry) => !used.has(entry));
  return [
    ...problems,
    ...totalProblems(sources),
    ...stale.map((entry) => `${entry.file}: the exception for ${entry.name} is no longer needed, remove it`),
  ];
}

function fileProblems(source: Source): string[] {
  const lines = countLines(source.text);
  if (lines <= LIMITS.fileLines) return [];
  return [`${source.path}: ${lines} lines, the budget of a file is ${LIMITS.fileLines}`];
}

function nodeProblems(source: Source, excused: (file: string, name: string) => boolean): string[] {
  const problems: string[] = [];
  visit(source.tree, (node) => {
    const at = `${source.path}:${lineOf(source, node)}`;
    if (node.kind === ts.SyntaxKind.AnyKeyword) problems.push(`${at}: \`any\`, the budget is 0`);
    if (!isFunctionWithBody(node) || isSuite(source, node) || excused(source.path, nameOf(node))) return;
    problems.push(...functionProblems(source, node).map((problem) => `${at}: ${problem}`));
  });
  return problems;
}

function functionProblems(source: Source, node: ts.FunctionLikeDeclaration): string[] {
  const problems: string[] = [];
  const lines = countLines(node.getText(source.tree));
  const parameters = node.parameters.filter((parameter) => parameter.name.getText(source.tree) !== "this");
  const name = nameOf(node);
  if (lines > LIMITS.functionLines) {
    problems.push(`${name} has ${lines} lines, the budget of a function is ${LIMITS.functionLines}`);
  }
  if (parameters.length > LIMITS.parameters) {
    problems.push(`${name} has ${parameters.length} parameters, the budget is ${LIMITS.parameters}`);
  }
  return problems;
}

function totalProblems(sources: readonly Source[]): string[] {
  const total = sources
    .filter((source) => source.path.startsWith("src/") && !isTest(source.path))
    .reduce((sum, source) => sum + countLines(source.text), 0);
  if (total <= LIMITS.totalLines) return [];
  return [`src: ${total} lines without tests, the ceiling is ${LIMITS.totalLines}`];
}

function isFunctionWithBody(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

// The callback of `describe` only groups tests; each test inside is held by itself.
function isSuite(source: Source, node: ts.Node): boolean {
  const call = node.parent;
  return (
    isTest(source.path) && ts.isCallExpression(call) && call.expression.getText(source.tree) === "describe"
  );
}

/** A function's own name, or that of the variable or property it is the value of. */
function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (node.name) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const parent = node.parent;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText();
  return "a function without a name";
}

function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}
