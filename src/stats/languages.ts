// The language of a file by its name alone, from Linguist's data (npm linguist-languages). Linguist looks into files
// where several languages share an extension; here one is chosen beforehand, because a table of a whole history is
// not worth reading every file for.

type Entry = {
  readonly name: string;
  readonly type: string;
  readonly languageId: number;
  readonly group?: string;
  readonly extensions?: readonly string[];
  readonly filenames?: readonly string[];
};

/** The language of a path; `OTHER` for one that the data does not know. */
export type LanguageOf = (path: string) => string;

export const OTHER = "other";

/** Shared extensions for which the rule below would choose what is rarely met. */
const PREFERRED: Readonly<Record<string, string>> = {
  ".asc": "AsciiDoc",
  ".cls": "TeX",
  ".e": "Eiffel",
  ".f": "Fortran",
  ".h": "C",
  ".html": "HTML",
  ".inc": "PHP",
  ".json": "JSON",
  ".l": "Lex",
  ".m": "Objective-C",
  ".md": "Markdown",
  ".ml": "OCaml",
  ".mod": "Modula-2",
  ".mo": "Modelica",
  ".pro": "Prolog",
  ".r": "R",
  ".rs": "Rust",
  ".sql": "SQL",
  ".t": "Perl",
  ".txt": "Text",
  ".v": "Verilog",
  ".yaml": "YAML",
  ".yml": "YAML",
};

const TYPES = ["programming", "markup", "data", "prose"];

/** Reads the data, some 800 small modules, when it is first asked for. */
export async function loadLanguages(): Promise<LanguageOf> {
  const entries = Object.values(await import("linguist-languages")) as readonly Entry[];
  const byName = new Map<string, Entry>();
  const byExtension = new Map<string, Entry>();
  for (const entry of entries) {
    for (const name of entry.filenames ?? []) offer(byName, name, entry);
    for (const extension of entry.extensions ?? []) offer(byExtension, extension.toLowerCase(), entry);
  }
  return (path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const entry = byName.get(name) ?? byLongestExtension(byExtension, name.toLowerCase());
    return entry === undefined ? OTHER : (entry.group ?? entry.name);
  };
}

function offer(table: Map<string, Entry>, key: string, entry: Entry): void {
  const holder = table.get(key);
  if (holder === undefined || precedes(entry, holder, key)) table.set(key, entry);
}

/** The preferred one; else the one whose first extension it is; else by type, then the older entry of the data. */
function precedes(entry: Entry, holder: Entry, key: string): boolean {
  const rank = ({ name, type, languageId, extensions }: Entry) => [
    PREFERRED[key] === name ? 0 : 1,
    extensions?.[0] === key ? 0 : 1,
    TYPES.indexOf(type),
    languageId,
  ];
  const [a, b] = [rank(entry), rank(holder)];
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
}

/** `.d.ts` before `.ts`; a name such as `.gitignore` is its own extension. */
function byLongestExtension(table: ReadonlyMap<string, Entry>, name: string): Entry | undefined {
  for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1)) {
    const entry = table.get(name.slice(at));
    if (entry !== undefined) return entry;
  }
  return undefined;
}
