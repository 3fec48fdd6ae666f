// The kinds of commits of the sample repository, as a table. Almost every change can be told from its message and
// the file alone, and its answer copies a word or a number from the message. Our own invention; it knows nothing of
// git.

import type { Random } from "../base/random.ts";
import { names, type Sample, slots } from "./sample-files.ts";

/** What one commit does: the file that it touches, and its message in two manners. */
export type Edit = {
  readonly path: string;
  readonly messages: readonly [string, string];
  /** The path before, when the file only moves. */
  readonly from?: string;
};

export type Template = {
  readonly name: string;
  readonly weight: number;
  /** Changes the state; undefined when this kind has nothing to do now. */
  readonly apply: (sample: Sample, random: Random) => Edit | undefined;
};

const DEPENDENCIES = ["kettle", "marble", "pebble"];
const OPTIONS = [
  "all",
  "brief",
  "color",
  "deep",
  "fast",
  "force",
  "long",
  "quiet",
  "sort",
  "tree",
  "watch",
  "wide",
];
const VERBS = ["fix", "speed up", "simplify", "test", "document"];
const THINGS = ["login", "search", "upload", "the menu", "the clock", "the footer", "export", "paging"];
const GUIDES = ["docs/guide.md", "guide.md", "docs/manual.md", "manual.md"];
const MOST_ENTRIES = 7;

/** The kinds of commits. */
export const templates: readonly Template[] = [
  { name: "version", weight: 16, apply: bumpVersion },
  { name: "dependency", weight: 12, apply: bumpDependency },
  { name: "setting", weight: 42, apply: changeSetting },
  { name: "note", weight: 10, apply: addNote },
  { name: "old-note", weight: 5, apply: dropNote },
  { name: "option", weight: 6, apply: addOption },
  { name: "old-option", weight: 4, apply: dropOption },
  { name: "constant", weight: 4, apply: renameConstant },
  { name: "move", weight: 1, apply: moveGuide },
];

function bumpVersion(sample: Sample, random: Random): Edit {
  const version = nextVersion(sample.versions.lantern!, random);
  sample.versions.lantern = version;
  return {
    path: "package.json",
    messages: [`chore: bump version to ${version}`, `Bump version to ${version}`],
  };
}

function bumpDependency(sample: Sample, random: Random): Edit {
  const name = pick(DEPENDENCIES, random);
  const version = nextVersion(sample.versions[name]!, random);
  sample.versions[name] = version;
  return {
    path: "package.json",
    messages: [`chore: bump ${name} to ${version}`, `Bump ${name} to ${version}`],
  };
}

function changeSetting(sample: Sample, random: Random): Edit {
  const key = pick(Object.keys(slots), random);
  const { label, values } = slots[key]!;
  const [path, slot] = key.split(":") as [string, string];
  const value = pickOther(values, sample.slots[key]!, random);
  sample.slots[key] = value;
  const name = sample.names[slot] ?? label;
  return { path, messages: [`fix: set ${name} to ${value}`, `Set ${name} to ${value}`] };
}

function addNote(sample: Sample, random: Random): Edit | undefined {
  const note = `${pick(VERBS, random)} ${pick(THINGS, random)}`;
  if (sample.notes.includes(note) || sample.notes.length >= MOST_ENTRIES) return undefined;
  sample.notes = [note, ...sample.notes];
  return { path: "CHANGELOG.md", messages: [`docs: note ${note}`, `Note in the changelog: ${note}`] };
}

function dropNote(sample: Sample): Edit | undefined {
  if (sample.notes.length < 3) return undefined;
  sample.notes = sample.notes.slice(0, -1);
  return { path: "CHANGELOG.md", messages: ["docs: drop the oldest note", "Drop the oldest note"] };
}

function addOption(sample: Sample, random: Random): Edit | undefined {
  const name = pick(OPTIONS, random);
  if (sample.options.includes(name) || sample.options.length >= MOST_ENTRIES) return undefined;
  sample.options = [name, ...sample.options];
  return { path: "src/options.js", messages: [`feat: add option ${name}`, `Add option ${name}`] };
}

function dropOption(sample: Sample, random: Random): Edit | undefined {
  if (sample.options.length < 3) return undefined;
  const name = pick(sample.options, random);
  sample.options = sample.options.filter((option) => option !== name);
  return { path: "src/options.js", messages: [`feat: remove option ${name}`, `Remove option ${name}`] };
}

function renameConstant(sample: Sample, random: Random): Edit {
  const slot = pick(Object.keys(names), random);
  const before = sample.names[slot]!;
  const after = pickOther(names[slot]!, before, random);
  sample.names[slot] = after;
  return {
    path: "src/limits.js",
    messages: [`refactor: rename ${before} to ${after}`, `Rename ${before} to ${after}`],
  };
}

function moveGuide(sample: Sample, random: Random): Edit {
  const from = sample.guide;
  const path = pickOther(GUIDES, from, random);
  sample.guide = path;
  return { path, from, messages: [`docs: move ${from} to ${path}`, `Move ${from} to ${path}`] };
}

/** Mostly the next patch or minor; every third jumps anywhere, so that copying a version from its message is worth
 * learning. Digits only go up to 9, so that a version is always three single digits. */
function nextVersion(version: string, random: Random): string {
  const [major, minor, patch] = version.split(".").map(Number) as [number, number, number];
  const kind = random.uniform();
  if (kind < 0.4 && patch < 9) return `${major}.${minor}.${patch + 1}`;
  if (kind < 0.65 && minor < 9) return `${major}.${minor + 1}.0`;
  return `${(major + 1 + random.below(9)) % 10}.${random.below(10)}.${random.below(10)}`;
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)]!;
}

function pickOther(items: readonly string[], current: string, random: Random): string {
  return pick(
    items.filter((item) => item !== current),
    random,
  );
}
