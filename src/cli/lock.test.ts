// Who may work in a folder: the first, and whoever comes after a process that is gone.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { UserError } from "../base/errors.ts";
import { withLock } from "./lock.ts";

let root = "";
let folder = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "codefudge-lock-"));
  folder = join(root, "run");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(owner: object | string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "lock"), typeof owner === "string" ? owner : JSON.stringify(owner));
}

const enter = () => withLock(folder, "or give another", () => Promise.resolve(readdirSync(folder)));

function refusal(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UserError && pattern.test(error.message);
}

test("one after another, and nothing is left, neither the lock nor an empty folder", async () => {
  assert.deepEqual(await enter(), ["lock"]);
  assert.deepEqual(await enter(), ["lock"]);
  assert.ok(!existsSync(folder));
  await assert.rejects(
    withLock(folder, "", () => Promise.reject(new Error("broken"))),
    /broken/,
  );
  assert.ok(!existsSync(folder));
});

test("two at once: the second is told who is there and what to do, and takes nothing away", async () => {
  await withLock(folder, "or give another", async () => {
    const wanted = new RegExp(
      `^Expected nobody else at work in .*run, found .* process ${process.pid}; wait`,
    );
    await assert.rejects(enter(), refusal(wanted));
    assert.ok(existsSync(join(folder, "lock")));
  });
  plant({ pid: process.ppid, host: hostname(), started: null });
  await assert.rejects(
    enter(),
    refusal(new RegExp(`process ${process.ppid}; wait until it ends, or give another$`)),
  );
});

test("of two that come at the same instant to a dead owner's folder, one is let in", async () => {
  plant({ pid: await deadProcess(), host: hostname(), started: null });
  let inside = 0;
  let most = 0;
  const visit = () =>
    withLock(folder, "", async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
    });
  const results = await Promise.allSettled([visit(), visit(), visit()]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
  assert.equal(most, 1);
});

test("the lock of a dead process, of an id used again and of an earlier self are taken over", async () => {
  const owners = [
    { pid: await deadProcess(), host: hostname(), started: null },
    { pid: process.pid, host: hostname(), started: "1" },
    ...(existsSync("/proc/self/stat") ? [{ pid: process.ppid, host: hostname(), started: "1" }] : []),
    "",
    "{",
    '{"pid":0}',
  ];
  for (const owner of owners) {
    plant(owner);
    assert.deepEqual(await enter(), ["lock"], JSON.stringify(owner));
  }
});

const isLinux = existsSync("/proc/self/stat");

test("a killed process that its parent never asked after is dead", {
  skip: !isLinux && "only seen in /proc",
}, async () => {
  // The shell becomes a program that knows nothing of its child.
  const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line);
    const isZombie = () => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
    while (!isZombie()) await new Promise((resolve) => setTimeout(resolve, 10));
    plant({ pid, host: hostname(), started: null });
    assert.deepEqual(await enter(), ["lock"]);
  } finally {
    parent.kill();
  }
});

test("a lock of another machine stands until a person removes it", async () => {
  plant({ pid: 1, host: "elsewhere.invalid", started: null });
  await assert.rejects(
    enter(),
    refusal(/process 1 on elsewhere\.invalid; .*, or remove .*lock when nothing runs/),
  );
});

test("what a kill left half written is cleared away, nothing else", async () => {
  mkdirSync(folder);
  for (const name of [".0123456789ab.tmp", ".mine.tmp", "0123456789ab.tmp"])
    writeFileSync(join(folder, name), "");
  assert.deepEqual((await enter()).sort(), [".mine.tmp", "0123456789ab.tmp", "lock"]);
});

test("a kill while a lock was taken, or a dead one moved away, leaves nothing for long", async () => {
  const dead = await deadProcess();
  mkdirSync(folder);
  const alive = [`lock.${process.ppid}`, `lock.dead.${process.ppid}`, "lock.txt"];
  for (const name of [`lock.${dead}`, `lock.dead.${dead}`, ...alive]) writeFileSync(join(folder, name), "");
  assert.deepEqual((await enter()).sort(), ["lock", ...alive].sort());
});

async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await new Promise((resolve) => child.on("close", resolve));
  return child.pid!;
}
