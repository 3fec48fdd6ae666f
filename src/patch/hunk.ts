// What a change is, as data: the change of one file, with hunks of typed lines. Lines are kept
// without their "\n"; a "\r" stays part of the line. Nothing here knows git objects, tokens or disks.

/** A line of a hunk. `eol` is false only for a last line without a newline ("\ No newline at end of file"). */
export type Line = {
  readonly kind: "context" | "delete" | "add";
  readonly text: string;
  readonly eol: boolean;
};

/** `oldStart` and `newStart` count from 1; with a length of 0 they name the line before, as in `@@ -4,0 +5,2 @@`. */
export type Hunk = {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly Line[];
};

/** The change of one file. Paths are git's, with `/`, without `a/` and `b/`; modes are git's, such as "100644".
 * `oldMode` and `newMode` are both there or neither; equal ones come from an `index` line and are no change. */
export type Patch =
  | {
      readonly kind: "modify";
      readonly path: string;
      readonly oldMode?: string;
      readonly newMode?: string;
      readonly hunks: readonly Hunk[];
    }
  | { readonly kind: "create"; readonly path: string; readonly mode: string; readonly hunks: readonly Hunk[] }
  | { readonly kind: "delete"; readonly path: string; readonly mode: string; readonly hunks: readonly Hunk[] }
  | {
      readonly kind: "rename" | "copy";
      readonly from: string;
      readonly path: string;
      readonly oldMode?: string;
      readonly newMode?: string;
      readonly hunks: readonly Hunk[];
    }
  | { readonly kind: "binary"; readonly path: string };

/** The path of the file before the change; of a created file, the path it gets. */
export function pathBefore(patch: Patch): string {
  return "from" in patch ? patch.from : patch.path;
}

/** True when the file's mode changes. */
export function changesMode(patch: Patch): boolean {
  return "newMode" in patch && patch.oldMode !== patch.newMode;
}
