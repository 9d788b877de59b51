/** One process at a time trains in a folder. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { DRAWING, FETCHING, lockRun } from "../../cli/run-lock.ts";
import { newFolder, removeFolders, stein, steinHere, tiny } from "./stein.ts";

afterAll(removeFolders);

test.concurrent.for(["train run.yaml --out run --resume", "demo --config run.yaml --out run"])(
  "stein %s: a run that another process is at is left alone, before any work",
  async (args, { expect }) => {
    const cwd = newFolder({ "run.yaml": tiny() });
    using _ = await lockRun("train", join(cwd, "run"));
    const { code, stdout, complaints, announced } = await stein(args.split(" "), { cwd });
    const lock = join("run", ".training.lock");
    expect(complaints).toEqual([
      `stein: ${args.split(" ")[0]}: process ${process.pid} trains in run already, expected a folder to itself; wait for it, ` +
        `stop it (kill ${process.pid}), or give another --out; if ${process.pid} is something else, remove ${lock}`,
    ]);
    expect([code, stdout, announced]).toEqual([2, "", []]);
    expect(readdirSync(join(cwd, "run"))).toEqual([".training.lock"]);
  },
);

test("drawing and training leave each other alone, two drawings do not", async () => {
  const folder = newFolder({});
  using _ = await lockRun("train", folder);
  using __ = await lockRun("sample", folder, DRAWING);
  await expect(lockRun("sample", folder, DRAWING)).rejects.toThrow(
    `sample: process ${process.pid} draws in ${folder} already, expected a folder to itself`,
  );
});

test("two downloads into one folder do not", async () => {
  const cwd = newFolder({});
  using _ = await lockRun("fetch", join(cwd, "data"), FETCHING);
  const { code, complaints } = await steinHere(["data", "fetch", "mnist", "--to", "data"], { cwd });
  expect(complaints).toEqual([
    `stein: fetch: process ${process.pid} fetches into data already, expected a folder to itself; wait for it, stop it ` +
      `(kill ${process.pid}), or give another --to; if ${process.pid} is something else, remove data/.fetching.lock`,
  ]);
  expect(code).toBe(2);
});

test("on another machine too", async () => {
  const folder = newFolder({ ".training.lock": JSON.stringify({ pid: 42, host: `not-${hostname()}` }) });
  await expect(lockRun("train", folder)).rejects.toThrow(
    `train: process 42 on not-${hostname()} trains in ${folder} already, expected a folder to itself; ` +
      "wait for it, stop it there, or give another --out; if it died, try again in two minutes",
  );
});

test("a folder that nothing came into goes again, one with something in it stays", async () => {
  const cwd = newFolder({ "run.yaml": tiny({ data: { heldBack: 64 } }) });
  const { code } = await stein(["train", "run.yaml", "--out", "runs/a/b"], { cwd });
  expect([code, existsSync(join(cwd, "runs"))]).toEqual([2, false]);

  const folder = join(cwd, "a", "b");
  const lock = await lockRun("train", folder);
  writeFileSync(join(cwd, "a", "other"), "");
  lock[Symbol.dispose]();
  expect(readdirSync(join(cwd, "a"))).toEqual(["other"]);

  mkdirSync(join(cwd, "empty")); // was there before
  (await lockRun("train", join(cwd, "empty")))[Symbol.dispose]();
  expect(existsSync(join(cwd, "empty"))).toBe(true);
});

test("what is no folder, and cannot become one, is told", async () => {
  const cwd = newFolder({ file: "" });
  await expect(lockRun("train", join(cwd, "file"))).rejects.toThrow(
    /^train: got --out .*file, which is a file, /,
  );
  await expect(lockRun("train", join(cwd, "file", "below"))).rejects.toThrow(
    /^train: got --out .*below, but .*file is a file, expected a folder; give another --out$/,
  );
});
