// Attacks through what surrounds git: variables of the caller, settings that change what git prints, folders that the
// repository points to, and a `git` of the repository's own.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { plainGit } from "../history/plain-git.ts";
import { readBack } from "../history/reading.ts";
import { makeRepository } from "../repository.ts";
import { assertHarmless, configure, fire, setTrap, setVariables, type Trap } from "./trap.ts";

let trap: Trap;
let wanted: Readonly<Record<string, string>>;

before(async () => {
  trap = await setTrap();
  wanted = await bytesOf(trap.repository());
});
after(() => trap.dispose());

/** Hashes of the dataset's files, made without anything having happened. */
async function bytesOf(repository: string): Promise<Readonly<Record<string, string>>> {
  const { code, stderr, folder } = await assertHarmless(trap, repository);
  assert.equal(code, 0, stderr);
  return readBack(folder).manifest.sha256;
}

type Variables = {
  readonly name: string;
  readonly values: (repository: string) => Readonly<Record<string, string>>;
  /** What plain git is asked under them, to run the program or to write; none where they only change what it prints. */
  readonly fire?: readonly string[];
  /** A file that plain git makes under them. */
  readonly makes?: string;
};

const programs: readonly Variables[] = [
  {
    name: "GIT_EXTERNAL_DIFF",
    values: () => ({ GIT_EXTERNAL_DIFF: trap.program }),
    fire: ["diff", "HEAD~13"],
  },
  {
    name: "GIT_SSH_COMMAND",
    values: () => ({ GIT_SSH_COMMAND: trap.program }),
    fire: ["ls-remote", "ssh://example.invalid/x"],
  },
  {
    name: "GIT_SSH",
    values: () => ({ GIT_SSH: trap.program }),
    fire: ["ls-remote", "ssh://example.invalid/x"],
  },
  {
    name: "GIT_PROXY_COMMAND",
    values: () => ({ GIT_PROXY_COMMAND: trap.program }),
    fire: ["ls-remote", "git://example.invalid/x"],
  },
  {
    name: "GIT_PAGER",
    values: () => ({ GIT_PAGER: trap.program, PAGER: trap.program }),
    fire: ["grep", "-O", "three"],
  },
  {
    name: "GIT_EDITOR",
    values: () => ({ GIT_EDITOR: trap.program, EDITOR: trap.program }),
    fire: ["config", "--edit"],
  },
  {
    name: "GIT_CONFIG_COUNT",
    values: () => ({
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "diff.evil.textconv",
      GIT_CONFIG_VALUE_0: trap.program,
    }),
    fire: ["log", "-p"],
  },
  {
    name: "GIT_CONFIG_PARAMETERS",
    values: () => ({ GIT_CONFIG_PARAMETERS: `'diff.evil.textconv'='${trap.program}'` }),
    fire: ["log", "-p"],
  },
  {
    name: "GIT_CONFIG_GLOBAL and GIT_CONFIG_SYSTEM",
    values: () => ({ GIT_CONFIG_GLOBAL: writeConfig(), GIT_CONFIG_SYSTEM: writeConfig() }),
    fire: ["log", "-p"],
  },
  { name: "XDG_CONFIG_HOME", values: () => ({ XDG_CONFIG_HOME: xdgConfig() }), fire: ["log", "-p"] },
  {
    name: "GIT_DIR, GIT_WORK_TREE, GIT_COMMON_DIR and GIT_INDEX_FILE of another repository",
    values: (repository) => {
      const other = join(repository, "other");
      configure(other, { "core.fsmonitor": trap.program });
      return { GIT_DIR: join(other, ".git"), GIT_WORK_TREE: other, GIT_INDEX_FILE: join(other, "index") };
    },
    fire: ["status"],
  },
  {
    name: "GIT_EXEC_PATH",
    values: (repository) => ({ GIT_EXEC_PATH: execPath(repository) }),
    fire: ["evil"],
  },
  { name: "GIT_TEMPLATE_DIR", values: (repository) => ({ GIT_TEMPLATE_DIR: template(repository) }) },
  {
    name: "GIT_TRACE and its kin",
    values: (repository) => Object.fromEntries(TRACES.map((name) => [name, join(repository, "trace")])),
    fire: ["log", "-p"],
    makes: "trace",
  },
];

const TRACES = ["GIT_TRACE", "GIT_TRACE_SETUP", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"];

const PRINTED: Readonly<Record<string, string>> = {
  GIT_DIFF_OPTS: "-u0",
  GIT_ALTERNATE_OBJECT_DIRECTORIES: "/nonexistent",
  GIT_OBJECT_DIRECTORY: "/nonexistent",
  GIT_NAMESPACE: "x",
  GIT_SHALLOW_FILE: "/nonexistent",
  GIT_GRAFT_FILE: "/nonexistent",
  GIT_REPLACE_REF_BASE: "refs/heads/",
  GIT_ATTR_SOURCE: "HEAD",
  GIT_GLOB_PATHSPECS: "1",
  GIT_ICASE_PATHSPECS: "1",
  GIT_DEFAULT_HASH: "sha256",
  GIT_CEILING_DIRECTORIES: "/",
  GIT_PREFIX: "notes/",
  LC_ALL: "tr_TR.UTF-8",
  TZ: "Asia/Kathmandu",
};

function writeConfig(): string {
  const path = join(trap.folder, "config");
  writeFileSync(path, `[diff "evil"]\n\ttextconv = ${trap.program}\n`);
  return path;
}

function xdgConfig(): string {
  const folder = join(trap.folder, "xdg");
  mkdirSync(join(folder, "git"), { recursive: true });
  renameSync(writeConfig(), join(folder, "git/config"));
  return folder;
}

function execPath(repository: string): string {
  const folder = join(repository, "exec");
  mkdirSync(folder);
  for (const name of ["git-evil", "git-log", "git-cat-file", "git-rev-parse"])
    trap.plantProgram(join(folder, name));
  return folder;
}

function template(repository: string): string {
  const folder = join(repository, "template/hooks");
  mkdirSync(folder, { recursive: true });
  trap.plantProgram(join(folder, "reference-transaction"));
  return join(repository, "template");
}

for (const { name, values, fire: args, makes } of programs) {
  test(`the caller's ${name}`, async () => {
    const repository = trap.repository();
    await makeRepository(join(repository, "other"), [{ files: { x: "x\n" } }]);
    const variables = values(repository);
    const restore = setVariables(variables);
    try {
      assert.deepEqual(await bytesOf(repository), wanted);
    } finally {
      restore();
    }
    if (args === undefined) return;
    const { stderr } = await fire({ ...trap, env: variables }, repository, args);
    const closed = makes === undefined ? trap.sprung().length > 0 : existsSync(join(repository, makes));
    assert.ok(closed, `git ${args.join(" ")} must fall into the trap: ${stderr}`);
  });
}

test("the caller's variables that change what git prints change no byte", async () => {
  const restore = setVariables(PRINTED);
  try {
    assert.deepEqual(await bytesOf(trap.repository()), wanted);
  } finally {
    restore();
  }
});

test("a template folder of the caller brings hooks into a new repository of plain git", async () => {
  const repository = trap.repository();
  const env = { GIT_TEMPLATE_DIR: template(repository) };
  await fire({ ...trap, env }, repository, ["init", "--quiet", "new"]);
  await fire(trap, join(repository, "new"), ["symbolic-ref", "HEAD", "refs/heads/x"]);
  await fire(trap, join(repository, "new"), [
    "-c",
    "user.name=A",
    "-c",
    "user.email=a@b",
    "commit",
    "--allow-empty",
    "-m",
    "x",
  ]);
  assert.notDeepEqual(trap.sprung(), []);
});

const SETTINGS: Readonly<Record<string, string>> = {
  "color.ui": "always",
  "core.abbrev": "4",
  "core.attributesFile": ".gitattributes",
  "core.autocrlf": "true",
  "core.bigFileThreshold": "1",
  "core.commentChar": "x",
  "core.eol": "crlf",
  "core.fileMode": "false",
  "core.ignoreCase": "true",
  "core.precomposeUnicode": "true",
  "core.quotePath": "true",
  "core.useReplaceRefs": "true",
  "core.whitespace": "cr-at-eol",
  "diff.algorithm": "patience",
  "diff.colorMoved": "zebra",
  "diff.context": "0",
  "diff.evil.binary": "true",
  "diff.evil.xfuncname": "^(.*)$",
  "diff.indentHeuristic": "false",
  "diff.interHunkContext": "50",
  "diff.mnemonicPrefix": "true",
  "diff.noprefix": "true",
  "diff.orderFile": "order",
  "diff.relative": "true",
  "diff.renameLimit": "1",
  "diff.renames": "false",
  "diff.submodule": "log",
  "diff.suppressBlankEmpty": "true",
  "diff.wordRegex": ".",
  "diff.wsErrorHighlight": "all",
  "format.pretty": "oneline",
  "i18n.commitEncoding": "latin1",
  "i18n.logOutputEncoding": "UTF-16",
  "log.abbrevCommit": "true",
  "log.date": "human",
  "log.decorate": "full",
  "log.diffMerges": "first-parent",
  "log.excludeDecoration": "*",
  "log.follow": "true",
  "log.mailmap": "true",
  "log.showRoot": "false",
  "log.showSignature": "true",
  "mailmap.file": ".mailmap",
  "notes.displayRef": "*",
  "transfer.hideRefs": "refs/heads",
};

test("settings and attributes that change what git prints change no byte", async () => {
  const repository = trap.repository();
  configure(repository, SETTINGS);
  writeFileSync(join(repository, "order"), "b.txt\n");
  writeFileSync(join(repository, ".mailmap"), "Someone Else <else@example.invalid> <ada@example.invalid>\n");
  writeFileSync(
    join(repository, ".gitattributes"),
    "* -diff text eol=crlf working-tree-encoding=UTF-16 diff=evil\n",
  );
  mkdirSync(join(repository, ".git/info"), { recursive: true });
  writeFileSync(join(repository, ".git/info/attributes"), "* -diff\n");
  const plain = await plainGit(["log", "-p", "-1"], { cwd: repository, env: { HOME: trap.home } });
  assert.doesNotMatch(plain, /^@@ /m, "plain git does as it is told");
  assert.deepEqual(await bytesOf(repository), wanted);
});

test("a configuration that git cannot read, or of a version to come, is refused in a sentence", async () => {
  for (const text of [
    "[core\n",
    "[core]\n\trepositoryformatversion = 99\n",
    "[extensions]\n\tfromTheFuture = true\n[core]\n\trepositoryformatversion = 1\n",
  ]) {
    const repository = trap.repository();
    writeFileSync(join(repository, ".git/config"), text);
    const { code, stderr } = await assertHarmless(trap, repository);
    assert.equal(code, 1);
    assert.match(stderr, /^Expected a git repository at \S+, found one that git cannot read: .*\n$/s);
  }
});

test("a program called git in the repository, which a relative PATH would find", async () => {
  const repository = trap.repository();
  trap.plantProgram(join(repository, "git"));
  const path = ["", ".", process.env.PATH].join(delimiter);
  const home = process.cwd();
  const restore = setVariables({ PATH: path });
  process.chdir(repository);
  try {
    const { code, stderr } = await assertHarmless(trap, repository);
    assert.equal(code, 0, stderr);
    await fire({ ...trap, env: { PATH: path } }, repository, ["--version"]);
    assert.notDeepEqual(trap.sprung(), []);
  } finally {
    process.chdir(home);
    restore();
  }
});
