// The files of the sample repository: texts with slots in double braces, and the values that each slot may take. All
// of it is our own invention. Lines keep their places and files stay short, so that a very small model can learn
// where things stand. It knows neither git nor what a commit does.

/** A value that stands in a line of a file. `label` is how messages call it. */
export type Slot = { readonly label: string; readonly values: readonly string[] };

/** The state of the sample between two commits. */
export type Sample = {
  readonly slots: Record<string, string>;
  readonly versions: Record<string, string>;
  readonly names: Record<string, string>;
  options: string[];
  notes: string[];
  guide: string;
};

// Enough values that a setting rarely goes twice from the same one to the same other: what the newest commits ask
// for is then not what an older commit did, and the split keeps it.
const NUMBERS = ["2", "3", "4", "6", "8", "12", "16", "24", "32", "48", "64"];
const SECONDS = ["5", "10", "15", "20", "25", "30", "40", "45", "50", "60", "90"];
const LEVELS = ["trace", "debug", "info", "notice", "warn", "error", "fatal"];
const PLACES = ["north", "south", "east", "west", "coast", "island", "valley", "hill"];
const TIMES = ["never", "hourly", "daily", "nightly", "weekly", "monthly", "yearly"];
const STAGES = ["staging", "production", "preview", "canary", "nightly", "local"];

/** Keys are `file:slot`; the file's text has the slot in double braces. */
export const slots: Readonly<Record<string, Slot>> = {
  "config.yaml:port": { label: "port", values: ["8000", "8080", "8081", "8443", "8888", "9000", "9090"] },
  "config.yaml:workers": { label: "workers", values: NUMBERS },
  "config.yaml:timeout": { label: "timeout", values: SECONDS },
  "config.yaml:level": { label: "level", values: LEVELS },
  "config.yaml:format": { label: "format", values: ["plain", "json", "short", "long", "color", "table"] },
  "settings.ini:queue": { label: "queue", values: NUMBERS },
  "settings.ini:region": { label: "region", values: PLACES },
  "settings.ini:backup": { label: "backup", values: TIMES },
  "settings.ini:interval": { label: "interval", values: SECONDS },
  "deploy.sh:target": { label: "target", values: STAGES },
  "deploy.sh:keep": { label: "keep", values: NUMBERS },
  "deploy.sh:pause": { label: "pause", values: SECONDS },
  "Makefile:jobs": { label: "JOBS", values: NUMBERS },
  "Makefile:rounds": { label: "ROUNDS", values: NUMBERS },
  "README.md:status": { label: "Status", values: ["stable", "beta", "alpha", "paused", "frozen", "done"] },
  "README.md:checks": { label: "Checks", values: TIMES },
  "src/limits.js:retries": { label: "retries", values: NUMBERS },
  "src/limits.js:delay": { label: "delay", values: SECONDS },
  "src/limits.js:pages": { label: "pages", values: NUMBERS },
};

/** Constants of src/limits.js and the names each of them may carry. */
export const names: Readonly<Record<string, readonly string[]>> = {
  retries: ["RETRIES", "MAX_RETRIES", "ATTEMPTS"],
  delay: ["DELAY", "PAUSE", "WAIT"],
  pages: ["PAGES", "MAX_PAGES", "PAGE_LIMIT"],
};

/** Each file's text. `{{…}}` names a slot of the file, a version, a constant's name, or a list. */
const files: Readonly<Record<string, string>> = {
  "package.json": `{
  "name": "lantern",
  "version": "{{lantern}}",
  "type": "module",
  "scripts": {
    "test": "node --test"
  },
  "dependencies": {
    "kettle": "{{kettle}}",
    "marble": "{{marble}}",
    "pebble": "{{pebble}}"
  }
}
`,
  "config.yaml": `server:
  host: localhost
  port: {{port}}
  workers: {{workers}}
  timeout: {{timeout}}
log:
  level: {{level}}
  format: {{format}}
`,
  "settings.ini": `; Read once, when the service starts
[service]
queue = {{queue}}
region = {{region}}
[store]
backup = {{backup}}
interval = {{interval}}
path = data
`,
  "deploy.sh": `#!/bin/sh
set -eu
target={{target}}
keep={{keep}}
pause={{pause}}

mkdir -p "releases/$target"
cp -r src "releases/$target/new"
echo "sent to $target, keeping $keep, pausing $pause"
`,
  Makefile: `JOBS = {{jobs}}
ROUNDS = {{rounds}}

all: test

test:
\tnode --test

clean:
\trm -rf releases
`,
  "README.md": `# Lantern

A small service that shows what is on.

- Status: {{status}}
- Checks: {{checks}}

Run it with \`make\`.
`,
  "src/limits.js": `// How far the service goes before it gives up.

export const {{retries:name}} = {{retries}};
export const {{delay:name}} = {{delay}};
export const {{pages:name}} = {{pages}};
`,
  "src/options.js": `export const options = [
{{options}}];
`,
  "CHANGELOG.md": `# Changelog

{{notes}}`,
};

const GUIDE = `# Guide

1. Install the parts.
2. Set the port.
3. Run \`make\`.
4. Look at the lamp.
`;

/** The text of every file, by path. */
export function renderSample(sample: Sample): Map<string, string> {
  const shared: Record<string, string> = {
    ...sample.versions,
    ...Object.fromEntries(Object.entries(sample.names).map(([slot, name]) => [`${slot}:name`, name])),
    options: sample.options.map((name) => `  "${name}",\n`).join(""),
    notes: sample.notes.map((note) => `- ${note}\n`).join(""),
  };
  const render = (path: string, text: string) =>
    text.replace(/{{([a-z:]+)}}/g, (_, key: string) => shared[key] ?? sample.slots[`${path}:${key}`]!);
  const rendered = Object.entries(files).map(([path, text]) => [path, render(path, text)] as const);
  return new Map([...rendered, [sample.guide, GUIDE]]);
}

/** The sample before its first change. */
export function startSample(): Sample {
  return {
    slots: Object.fromEntries(Object.entries(slots).map(([key, { values }]) => [key, values[1]!])),
    versions: { lantern: "1.0.0", kettle: "2.3.1", marble: "1.0.4", pebble: "3.2.0" },
    names: Object.fromEntries(Object.entries(names).map(([slot, [first]]) => [slot, first!])),
    options: ["quiet", "wide", "all"],
    notes: ["fix login", "test search", "document export"],
    guide: "docs/guide.md",
  };
}
