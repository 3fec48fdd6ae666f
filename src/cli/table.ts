// Text tables for the terminal: columns as wide as their widest cell, two spaces between them.

export type Column = { readonly title: string; readonly align?: "left" | "right" };

/** Title row, a rule, and one line per row; numbers are given already formatted. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map((column) => column.title);
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...rows].map((row) => widthOf(row[index] ?? ""))),
  );
  const print = (cells: readonly string[]) =>
    widths
      .map((width, index) => pad(cells[index] ?? "", { width, align: columns[index]!.align }))
      .join("  ")
      .trimEnd();
  return [print(titles), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(print)];
}

/** Lines of `name  value`, values aligned. */
export function formatPairs(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => widthOf(name)));
  return pairs.map(([name, value]) => `${pad(name, { width })}  ${value}`.trimEnd());
}

function pad(text: string, cell: { width: number; align?: "left" | "right" | undefined }): string {
  const space = " ".repeat(Math.max(0, cell.width - widthOf(text)));
  return cell.align === "right" ? space + text : text + space;
}

function widthOf(text: string): number {
  return [...text].length;
}
