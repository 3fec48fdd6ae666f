// For tests only: a temporary folder for a whole file of tests, with new places in it for the asking.

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Temporary = {
  readonly folder: string;
  /** A path in it where nothing is yet. */
  fresh(): string;
  dispose(): void;
};

export function makeTemporary(): Temporary {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "codefudge-test-")));
  let count = 0;
  return {
    folder,
    fresh: () => join(folder, `fresh-${++count}`),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
