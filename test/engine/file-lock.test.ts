/** Locks that are held for long, and whose holders may die. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { holdLock } from "../../engine/platform/file-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "stein-lock-"));
const path = join(folder, "lock");
afterEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const root = fileURLToPath(new URL("../..", import.meta.url));
const script = fileURLToPath(new URL("child/hold-lock.ts", import.meta.url));

/** A process that says whether it got the lock. */
async function holder(): Promise<{ child: ChildProcess; says: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", script, path], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [says] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, says: `${says}` };
}

/** Takes the lock and lets go of it, or tells whose it is. */
async function attempt(): Promise<number | "taken"> {
  const held = await holdLock(path);
  if (held.heldBy) return held.heldBy.pid;
  expect(readdirSync(folder)).toEqual(["lock"]);
  held[Symbol.dispose]();
  expect(existsSync(path)).toBe(false);
  return "taken";
}

test("of another process: refused while it lives, taken over once it was killed, gone once it ended", async () => {
  for (const end of [(c: ChildProcess) => c.kill("SIGKILL"), (c: ChildProcess) => c.stdin!.write("go")]) {
    const { child, says } = await holder();
    expect(says).toBe("held");
    expect(await attempt()).toBe(child.pid);
    const gone = once(child, "exit");
    end(child);
    const [, signal] = await gone;
    expect(existsSync(path)).toBe(signal === "SIGKILL");
    expect(await attempt()).toBe("taken");
  }
});

test("held here: refused here and in another process, free once let go of, and once only", async () => {
  const held = await holdLock(path);
  expect(held.heldBy).toBe(undefined);
  expect(await attempt()).toBe(process.pid);
  expect((await holder()).says).toBe("refused");
  const free = () => (held as Disposable)[Symbol.dispose]();
  free();
  const next = (await holdLock(path)) as Disposable;
  free();
  expect(await attempt()).toBe(process.pid);
  next[Symbol.dispose]();
  expect(await attempt()).toBe("taken");
});

test("of many who come at once one gets it", async () => {
  writeFileSync(path, JSON.stringify({ pid: 2 ** 30, host: hostname() })); // of a process that is gone
  const all = await Promise.all(Array.from({ length: 8 }, () => holdLock(path)));
  const holds = all.filter((one) => !one.heldBy) as Disposable[];
  expect(holds.length).toBe(1);
  holds[0]![Symbol.dispose]();
});

test("nothing is taken away that is another's by now", async () => {
  const held = (await holdLock(path)) as Disposable;
  writeFileSync(path, "another's");
  held[Symbol.dispose]();
  expect(readFileSync(path, "utf8")).toBe("another's");
});

describe("left behind", () => {
  const left = (holder: object | string, age = 0) => {
    writeFileSync(path, typeof holder === "string" ? holder : JSON.stringify(holder));
    const then = new Date(Date.now() - 1000 * age);
    utimesSync(path, then, then);
  };
  const here = { host: hostname() };
  const there = { pid: 7, host: "another" };
  const parent = process.ppid;

  test.each([
    ["by a number that nobody has", { pid: 2 ** 30, ...here }, 0],
    ["by our own number, as in a container", { pid: process.pid, ...here }, 0],
    ["before the machine began", { pid: parent, ...here }, uptime() + 60],
    ["on another machine, two minutes ago", there, 125],
    ["half written", '{"pid":', 0],
    ["empty", "", 0],
    ["with nothing of a lock in it", "[]", 0],
  ])("%s: taken over", async (_, holder, age) => {
    left(holder, age);
    expect(await attempt()).toBe("taken");
  });

  test("on another machine, a minute ago: held", async () => {
    left(there, 60);
    expect(await attempt()).toBe(7);
  });

  test.runIf(process.platform === "linux")(
    "by a process whose number is another's now: taken over",
    async () => {
      left({ pid: parent, ...here, began: "1" });
      expect(await attempt()).toBe("taken");
      const stat = readFileSync(`/proc/${parent}/stat`, "utf8");
      const began = stat.slice(stat.lastIndexOf(")")).split(" ")[20];
      left({ pid: parent, ...here, began });
      expect(await attempt()).toBe(parent);
    },
  );
});

test("a folder that is not there is none that can be locked", async () => {
  await expect(holdLock(join(folder, "none", "lock"))).rejects.toMatchObject({ code: "ENOENT" });
});
