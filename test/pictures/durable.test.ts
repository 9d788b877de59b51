/** What a power cut leaves: the order in which files, their names and their folders reach the disk. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test, vi } from "vitest";
import { rollBack, writeCheckpoint } from "../../cli/checkpoint-folder.ts";
import { MetricsLog } from "../../cli/metrics-log.ts";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { whileBusy } from "../../engine/platform/busy.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { tempFolder } from "../data/temp-folder.ts";

/** What was done to which path, of what decides it. */
const done = vi.hoisted((): [what: string, path: string][] => []);
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const paths = new Map<number, string>();
  return {
    ...fs,
    openSync(path: string, flags: string) {
      const file = fs.openSync(path, flags);
      paths.set(file, path);
      return file;
    },
    fsyncSync(file: number) {
      done.push(["sync", paths.get(file)!]);
      fs.fsyncSync(file);
    },
    renameSync(from: string, to: string) {
      done.push(["name", to]);
      fs.renameSync(from, to);
    },
    linkSync(path: string, second: string) {
      done.push(["link", second]);
      fs.linkSync(path, second);
    },
  };
});

/** What `act` does in a folder, temporary files as TMP. */
function doneIn(folder: string, act: () => void): string[] {
  done.length = 0;
  act();
  return done.map(([what, path]) => {
    const inside = relative(folder, path).replaceAll("\\", "/") || ".";
    return `${what} ${inside.replace(/\.\d+-\d+\.tmp$/, ".TMP")}`;
  });
}

test("a file is on the disk before it has its name, and the name before the writer goes on", () => {
  const folder = tempFolder();
  expect(doneIn(folder, () => writeFileAtomic(join(folder, "file"), "text"))).toEqual([
    "sync file.TMP",
    "name file",
    "sync .",
  ]);
});

test("so are the folders that were made for it", () => {
  const folder = tempFolder();
  expect(doneIn(folder, () => writeFileAtomic(join(folder, "a", "b", "file"), "text"))).toEqual([
    "sync a/b/file.TMP",
    "name a/b/file",
    "sync a/b",
    "sync a",
    "sync .",
  ]);
});

test("an older checkpoint has its second name before the new one takes its place", () => {
  const folder = tempFolder();
  const checkpoint = (step: number) => writeSafetensors(new Map(), { step: `${step}` });
  const write = (step: number) => writeCheckpoint(folder, checkpoint(step), step, { keepLast: 3 });
  write(1);
  expect(doneIn(folder, () => write(2))).toEqual([
    "link checkpoints/00000001.safetensors",
    "sync checkpoints",
    "sync .",
    "sync checkpoint.safetensors.TMP",
    "name checkpoint.safetensors",
    "sync .",
  ]);
  expect(doneIn(folder, () => rollBack(folder, 2))).toEqual(["name checkpoint.safetensors"]);
});

test("metrics are on the disk when they are asked to be", () => {
  const folder = tempFolder();
  const log = new MetricsLog(join(folder, "metrics.jsonl"), 0);
  expect(doneIn(folder, () => log.flush())).toEqual([]);
  log.add([{ step: 0, loss: 1, gradNorm: 1, lr: 1, imagesPerSecond: 1, seconds: 1 }]);
  expect(doneIn(folder, () => log.flush())).toEqual(["sync metrics.jsonl"]);
  rmSync(join(folder, "metrics.jsonl")); // by somebody else: no reason to end a training
  expect(doneIn(folder, () => log.flush())).toEqual(["sync metrics.jsonl"]);
});

test("a folder that cannot be synced stands in no one's way", () => {
  const folder = tempFolder();
  mkdirSync(join(folder, "taken"));
  writeFileSync(join(folder, "taken", "inside"), "");
  expect(() => writeFileAtomic(join(folder, "taken"), "x")).toThrow(/^write: cannot write .*taken/);
});

test("Windows is asked again while another process has the file, elsewhere nothing is", () => {
  const failing = (code: string, times: number) => {
    let tried = 0;
    const act = () => {
      if (tried++ < times) throw Object.assign(new Error(code), { code });
      return tried;
    };
    return act;
  };
  for (const code of ["EPERM", "EACCES", "EBUSY"]) {
    expect(whileBusy(failing(code, 3), { platform: "win32" })).toBe(4);
    expect(() => whileBusy(failing(code, 1), { platform: "linux" })).toThrow(code);
    expect(() => whileBusy(failing(code, Infinity), { platform: "win32", most: 5 })).toThrow(code);
  }
  expect(() => whileBusy(failing("ENOSPC", 1), { platform: "win32" })).toThrow("ENOSPC");
});
