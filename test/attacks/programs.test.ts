// Attacks through programs that a repository's configuration, attributes, hooks or contents name. Each is shown to work
// on git as anyone would start it, then to do nothing while the history is read.

import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isBrought } from "../../src/history/source.ts";
import { plainGit } from "../history/plain-git.ts";
import { assertHarmless, CONNECTION, commitRaw, configure, fire, setTrap, type Trap } from "./trap.ts";

let trap: Trap;
before(async () => {
  trap = await setTrap();
});
after(() => trap.dispose());

type Attack = {
  readonly name: string;
  /** Makes a repository hostile. */
  readonly plant: (repository: string) => void | Promise<void>;
  /** What plain git is asked, that runs the program. */
  readonly fire: readonly (readonly string[])[];
  /** The trap is a connection, not a program. */
  readonly connects?: true;
  /** A repository that cannot be read is refused in these words. */
  readonly refused?: RegExp;
};

const SIGNED: Readonly<Record<string, string>> = {
  PGP: "PGP SIGNATURE",
  x509: "SIGNED MESSAGE",
  ssh: "SSH SIGNATURE",
};

function signature(kind: string): string {
  return `gpgsig -----BEGIN ${SIGNED[kind]}-----\n \n iQ==\n -----END ${SIGNED[kind]}-----\n`;
}

/** Takes a content away, and says that somebody else has it. */
async function forgetContent(repository: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const objects = join(repository, ".git/objects");
  const oid = (await plainGit(["rev-parse", "HEAD~13:a.txt"], { cwd: repository })).trim();
  const [pack] = readdirSync(join(objects, "pack")).filter((name) => name.endsWith(".pack"));
  const bytes = readFileSync(join(objects, "pack", pack!));
  rmSync(join(objects, "pack"), { recursive: true });
  await plainGit(["unpack-objects", "-q"], { cwd: repository, input: bytes });
  rmSync(join(objects, oid.slice(0, 2), oid.slice(2)));
  configure(repository, {
    ...settings,
    "remote.origin.promisor": "true",
    "core.repositoryformatversion": "1",
    "extensions.partialClone": "origin",
  });
}

function touch(repository: string): void {
  utimesSync(join(repository, "a.txt"), 1, 1);
}

const PARTIAL = /found a partial one|git fsck/;

const attacks: readonly Attack[] = [
  {
    name: "textconv",
    plant: (repository) => configure(repository, { "diff.evil.textconv": trap.program }),
    fire: [["log", "-p"], ["show"], ["diff", "HEAD~13"]],
  },
  {
    name: "a diff driver's command and diff.external",
    plant: (repository) =>
      configure(repository, { "diff.evil.command": trap.program, "diff.external": trap.program }),
    fire: [
      ["diff", "HEAD~13"],
      ["log", "-p", "--ext-diff"],
    ],
  },
  {
    name: "core.fsmonitor",
    plant: (repository) => configure(repository, { "core.fsmonitor": trap.program }),
    fire: [["status"], ["diff-tree", "-p", "HEAD"]],
  },
  {
    name: "a clean filter",
    plant: (repository) => {
      configure(repository, { "filter.evil.clean": trap.program });
      touch(repository);
    },
    fire: [["status"]],
  },
  {
    name: "a smudge filter",
    plant: (repository) => configure(repository, { "filter.evil.smudge": trap.program }),
    fire: [["checkout-index", "--force", "--all"]],
  },
  {
    name: "a filter process",
    plant: (repository) => configure(repository, { "filter.evil.process": trap.program }),
    fire: [["checkout-index", "--force", "--all"]],
  },
  {
    name: "a merge driver",
    plant: async (repository) => {
      configure(repository, { "merge.evil.driver": trap.program, "user.name": "A", "user.email": "a@b" });
      const run = (...args: string[]) => plainGit(args, { cwd: repository });
      await run("checkout", "--quiet", "-b", "side", "HEAD~13");
      writeFileSync(join(repository, "a.txt"), "side\n");
      await run("commit", "--quiet", "--all", "--message=Side");
      await run("checkout", "--quiet", "main");
    },
    fire: [["merge-tree", "--write-tree", "main", "side"]],
  },
  {
    name: "attributes in the git folder and in a file that the configuration names",
    plant: (repository) => {
      mkdirSync(join(repository, ".git/info"), { recursive: true });
      writeFileSync(join(repository, ".git/info/attributes"), "* diff=other\n");
      configure(repository, { "diff.other.textconv": trap.program, "core.attributesFile": "/dev/null" });
    },
    fire: [["log", "-p"]],
  },
  {
    name: "hooks",
    plant: plantHooks,
    fire: [
      ["update-ref", "refs/heads/x", "HEAD"],
      ["checkout", "--quiet", "--detach"],
      ["read-tree", "HEAD"],
    ],
  },
  {
    name: "hooks in a folder that the configuration names",
    plant: (repository) => {
      mkdirSync(join(repository, "tools"));
      trap.plantProgram(join(repository, "tools/reference-transaction"));
      configure(repository, { "core.hooksPath": "tools" });
    },
    fire: [["update-ref", "refs/heads/x", "HEAD"]],
  },
  ...Object.entries({ PGP: "gpg.program", x509: "gpg.x509.program", ssh: "gpg.ssh.program" }).map(
    ([kind, setting]): Attack => ({
      name: `${setting} on a signed commit`,
      plant: async (repository) => {
        await commitRaw(repository, signature(kind));
        const allowed = join(repository, ".git/allowed");
        writeFileSync(allowed, "");
        configure(repository, {
          [setting]: trap.program,
          "log.showSignature": "true",
          "gpg.ssh.allowedSignersFile": allowed,
        });
      },
      fire: [["log", "-1"]],
    }),
  ),
  {
    name: "core.sshCommand through a promisor remote",
    plant: (repository) =>
      forgetContent(repository, {
        "core.sshCommand": trap.program,
        "remote.origin.url": "ssh://example.invalid/x",
      }),
    fire: [["log", "-p"]],
    refused: PARTIAL,
  },
  {
    name: "core.gitProxy through a promisor remote",
    plant: (repository) =>
      forgetContent(repository, {
        "core.gitProxy": trap.program,
        "remote.origin.url": "git://example.invalid/x",
      }),
    fire: [["log", "-p"]],
    refused: PARTIAL,
  },
  {
    name: "a promisor remote that is a program",
    plant: (repository) =>
      forgetContent(repository, {
        "protocol.ext.allow": "always",
        "remote.origin.url": `ext::${trap.program}`,
      }),
    fire: [["log", "-p"]],
    refused: PARTIAL,
  },
  {
    name: "the upload-pack of a promisor remote on this machine",
    plant: (repository) =>
      forgetContent(repository, {
        "remote.origin.uploadpack": trap.program,
        "remote.origin.url": trap.folder,
      }),
    fire: [["log", "-p"]],
    refused: PARTIAL,
  },
  ...["git", "http"].map(
    (protocol): Attack => ({
      name: `a promisor remote over ${protocol}`,
      plant: (repository) =>
        forgetContent(repository, { "remote.origin.url": `${protocol}://127.0.0.1:${trap.port}/x` }),
      fire: [["log", "-p"]],
      connects: true,
      refused: PARTIAL,
    }),
  ),
  {
    name: "a credential helper, and a program that asks for passwords",
    plant: (repository) =>
      forgetContent(repository, {
        "credential.helper": `!${trap.program}`,
        "core.askPass": trap.program,
        "remote.origin.url": `http://127.0.0.1:${trap.port}/x`,
      }),
    fire: [["ls-remote", "origin"]],
    refused: PARTIAL,
  },
  {
    name: "an address that the configuration turns into another",
    plant: (repository) =>
      forgetContent(repository, {
        "protocol.ext.allow": "always",
        [`url.ext::${trap.program} .insteadOf`]: "https://",
        "remote.origin.url": "https://example.invalid/x",
      }),
    fire: [["log", "-p"]],
    refused: PARTIAL,
  },
  {
    name: "a pager",
    plant: (repository) => configure(repository, { "core.pager": trap.program, "pager.log": trap.program }),
    // Without a terminal git starts no pager for log; `grep -O` starts it in any case.
    fire: [["grep", "-O", "three"]],
  },
  {
    name: "aliases, also of commands that git has",
    plant: (repository) => {
      // git ignores an alias of its own command: "log" must not run it, "evil" does.
      configure(repository, {
        "alias.evil": `!${trap.program}`,
        "alias.log": `!${trap.program}`,
        "alias.rev-parse": `!${trap.program}`,
      });
    },
    fire: [["evil"]],
  },
  {
    name: "editors",
    plant: (repository) =>
      configure(repository, { "core.editor": trap.program, "sequence.editor": trap.program }),
    fire: [["config", "--edit"]],
  },
  {
    name: "a configuration that another includes",
    plant: (repository) => {
      writeFileSync(join(repository, "evil.cfg"), `[diff "evil"]\n\ttextconv = ${trap.program}\n`);
      configure(repository, { "include.path": "../evil.cfg" });
    },
    fire: [["log", "-p"]],
  },
  {
    name: "a configuration that is included under a condition",
    plant: (repository) => {
      writeFileSync(join(repository, "evil.cfg"), `[diff "evil"]\n\ttextconv = ${trap.program}\n`);
      configure(repository, {
        "includeIf.gitdir:**.path": "../evil.cfg",
        "includeIf.onbranch:main.path": "../evil.cfg",
      });
    },
    fire: [["log", "-p"]],
  },
  {
    name: "a configuration of the work tree",
    plant: (repository) => {
      configure(repository, { "core.repositoryformatversion": "1", "extensions.worktreeConfig": "true" });
      writeFileSync(join(repository, ".git/config.worktree"), `[core]\n\tfsmonitor = ${trap.program}\n`);
    },
    fire: [["status"]],
  },
  {
    name: "a submodule whose update is a program",
    plant: plantSubmodule,
    fire: [["submodule", "update"]],
  },
];

function plantHooks(repository: string): void {
  const folder = join(repository, ".git/hooks");
  mkdirSync(folder, { recursive: true });
  const names = [
    "post-checkout",
    "post-index-change",
    "reference-transaction",
    "pre-auto-gc",
    "post-rewrite",
  ];
  for (const name of [
    ...names,
    "fsmonitor-watchman",
    "sendemail-validate",
    "proc-receive",
    "push-to-checkout",
  ]) {
    trap.plantProgram(join(folder, name));
  }
}

/** A checked-out submodule that is behind, and a `.gitmodules` that says in all its ways to run something. */
async function plantSubmodule(repository: string): Promise<void> {
  const inner = join(repository, "m");
  const identity = {
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@b",
    GIT_COMMITTER_NAME: "A",
    GIT_COMMITTER_EMAIL: "a@b",
  };
  const run = (cwd: string, ...args: string[]) => plainGit(args, { cwd, env: identity });
  await run(repository, "init", "--quiet", "m");
  await run(inner, "commit", "--quiet", "--allow-empty", "--message=One");
  await run(inner, "commit", "--quiet", "--allow-empty", "--message=Two");
  const update = `!${trap.program}`;
  appendFileSync(
    join(repository, ".gitmodules"),
    `[submodule "m"]\n\tpath = m\n\turl = -u./program\n\tupdate = ${update}\n[submodule "../../x"]\n\tpath = x\n\turl = ext::${trap.program}\n`,
  );
  await run(repository, "add", "m", ".gitmodules");
  await run(repository, "commit", "--quiet", "--message=Add m");
  await run(inner, "checkout", "--quiet", "HEAD~1");
  // git takes a program from .gitmodules no more (2.20); only from the configuration.
  rmSync(join(repository, ".gitmodules"));
  writeFileSync(join(repository, ".gitmodules"), '[submodule "m"]\n\tpath = m\n\turl = ./m\n');
  configure(repository, {
    "submodule.m.update": update,
    "submodule.m.url": inner,
    "submodule.m.active": "true",
  });
}

for (const attack of attacks) {
  test(attack.name, async () => {
    const repository = trap.repository();
    await attack.plant(repository);
    const { code, stderr } = await assertHarmless(trap, repository);
    if (attack.refused === undefined) assert.equal(code, 0, stderr);
    else assert.match(stderr, attack.refused);
    await isBrought(join(repository, "a.txt"));
    assert.deepEqual(trap.sprung(), [], "nor when it is asked what the repository brought");
    for (const args of attack.fire) {
      const { stderr: said } = await fire(trap, repository, args);
      const sprung = trap.sprung().filter((what) => attack.connects || what !== CONNECTION);
      assert.notDeepEqual(sprung, [], `git ${args.join(" ")} must fall into the trap: ${said}`);
    }
  });
}

test("the traps see a file that is made, one that is changed, and one that goes", () => {
  const path = join(trap.home, "new");
  const seen = [trap.snapshot()];
  for (const change of [() => writeFileSync(path, ""), () => writeFileSync(path, "x"), () => rmSync(path)]) {
    change();
    seen.push(trap.snapshot());
    assert.notDeepEqual(seen.at(-1), seen.at(-2));
  }
});
