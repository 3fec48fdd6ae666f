// docs/api.md, held to src/index.ts: above the mark it is written by hand, below it are the signatures and docstrings
// of everything that is exported there, in the files that own them. A name without a docstring is a finding.

import ts from "typescript";
import { readPage, readSource, resolveImport, type Source } from "./source.ts";

const SURFACE = "src/index.ts";
export const API_PAGE = "docs/api.md";
const MARK = "<!-- From here on written by `npm run docs`. -->\n";

type Entry = { readonly name: string; readonly path: string; readonly node: ts.Node | undefined };

/** The page as it should be; `undefined` where there is none, or none with the mark. */
export function renderApi(root: string): string | undefined {
  const [intro, below] = (readPage(root, API_PAGE) ?? "").split(MARK);
  if (below === undefined) return undefined;
  const entries = readSurface(root);
  const folders = [...new Set(entries.map(({ path }) => folderOf(path)))];
  const parts = folders.flatMap((folder) => [
    `\n## ${folder}\n`,
    ...entries.filter(({ path }) => folderOf(path) === folder).map(printEntry),
  ]);
  return `${intro}${MARK}${parts.join("")}`;
}

export function checkApi(root: string): string[] {
  if (readPage(root, SURFACE) === undefined) return [`${SURFACE}: missing, the package exports it`];
  const page = renderApi(root);
  const bare = readSurface(root).flatMap(({ name, path, node }) => {
    if (node === undefined) return [`${SURFACE}: ${name} is not declared in ${path}`];
    return docOf(node) === "" ? [`${path}: ${name} is public (${SURFACE}) and has no docstring`] : [];
  });
  if (page === undefined) return [...bare, `${API_PAGE}: missing, or without the line ${MARK.trim()}`];
  return page === readPage(root, API_PAGE)
    ? bare
    : [...bare, `${API_PAGE}: differs from ${SURFACE} or a docstring, run \`npm run docs\``];
}

/** What the surface exports, in its order. */
function readSurface(root: string): Entry[] {
  const surface = readSource(root, SURFACE);
  return surface.tree.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause) return [];
    if (!ts.isNamedExports(statement.exportClause) || !statement.moduleSpecifier) return [];
    const path = resolveImport(surface, (statement.moduleSpecifier as ts.StringLiteral).text)!;
    const source = readSource(root, path);
    return statement.exportClause.elements.map(({ name }) => ({
      name: name.text,
      path,
      node: findDeclaration(source, name.text),
    }));
  });
}

function findDeclaration(source: Source, name: string): ts.Node | undefined {
  return source.tree.statements.find((statement) => {
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.some((one) => one.name.getText() === name);
    }
    const named =
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement);
    return named && statement.name?.text === name;
  });
}

function printEntry({ name, path, node }: Entry): string {
  if (node === undefined) return "";
  return `\n### \`${name}\`\n\n\`\`\`ts\n${signatureOf(node)}\n\`\`\`\n\n${docOf(node)} (\`${path}\`)\n`;
}

/** A declaration without bodies and private members. */
function signatureOf(node: ts.Node): string {
  if (ts.isFunctionDeclaration(node) && node.body) return withoutBody(node, node.body);
  if (ts.isClassDeclaration(node)) {
    const members = node.members.filter((member) => !member.name || !ts.isPrivateIdentifier(member.name));
    const head = `class ${node.name!.text}${node.heritageClauses?.map((one) => ` ${one.getText()}`).join("") ?? ""}`;
    return `${head} {\n${members.map((member) => `  ${printMember(member)}`).join("\n")}\n}`;
  }
  if (ts.isVariableStatement(node)) {
    const [declaration] = node.declarationList.declarations;
    return `const ${declaration!.name.getText()}${declaration!.type ? `: ${declaration!.type.getText()}` : ""}`;
  }
  return node.getText().replace(/^export /, "");
}

function printMember(member: ts.ClassElement): string {
  const doc = commentOf(member);
  const own =
    (ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member) || ts.isGetAccessor(member)) &&
    member.body
      ? withoutBody(member, member.body)
      : member.getText().replace(/ = [\s\S]*$/, "");
  return doc === "" ? own : `${doc}\n  ${own}`;
}

function withoutBody(node: ts.Node, body: ts.Node): string {
  const text = node.getText();
  return text
    .slice(0, body.getStart() - node.getStart())
    .replace(/^export /, "")
    .trimEnd();
}

function commentOf(node: ts.Node): string {
  const ranges = ts.getLeadingCommentRanges(node.getSourceFile().text, node.getFullStart()) ?? [];
  const last = ranges.at(-1);
  const text = last ? node.getSourceFile().text.slice(last.pos, last.end) : "";
  return text.startsWith("/**") ? text : "";
}

/** The docstring as one paragraph. */
function docOf(node: ts.Node): string {
  return commentOf(node)
    .replace(/^\/\*\*|\*\/$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trim())
    .filter((line) => line !== "")
    .join(" ");
}

function folderOf(path: string): string {
  return path.split("/")[1]!;
}
