/** Texts that several processes change at once. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { locked } from "../../engine/platform/file-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "stein-cache-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("of two processes that change a text at once neither loses a line", { timeout: 60_000 }, async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const script = fileURLToPath(new URL("child/add-line.ts", import.meta.url));
  const env = { ...process.env, STEIN_CACHE_DIR: folder };
  const count = 40;
  const children = ["a", "b"].map((own) =>
    spawn(process.execPath, ["--import", "tsx", script, "lines", own, `${count}`], { cwd: root, env }),
  );
  const done = children.map((child) => once(child, "exit"));
  await Promise.all(children.map(({ stdout }) => once(stdout, "data"))); // both are up
  for (const { stdin } of children) stdin.write("go");
  expect(await Promise.all(done)).toEqual([
    [0, null],
    [0, null],
  ]);
  const lines = readFileSync(join(folder, "lines"), "utf8").trimEnd().split("\n");
  for (const own of ["a", "b"])
    expect(lines.filter((line) => line.startsWith(own))).toEqual(
      Array.from({ length: count }, (_, i) => `${own} ${i}`),
    );
  expect(readdirSync(folder)).toEqual(["lines"]);
});

test("a lock waits for its holder, and for one that was killed only so long", async () => {
  const lock = join(folder, "text.lock");
  writeFileSync(lock, "");
  let ran = false;
  const waiting = locked(lock, () => {
    ran = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ran).toBe(false);
  const long = new Date(Date.now() - 60_000);
  utimesSync(lock, long, long);
  await waiting;
  expect(ran).toBe(true);
  expect(readdirSync(folder)).not.toContain("text.lock");
});

test("a lock is given back where its holder throws, and no folder is none that can be locked", async () => {
  const lock = join(folder, "text.lock");
  const failing = locked(lock, () => {
    throw new RangeError("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await locked(lock, () => 3)).toBe(3);
  await expect(locked(join(folder, "none", "x.lock"), () => 3)).rejects.toMatchObject({ code: "ENOENT" });
});
