/** Which checkpoints of a run stay, and which one it goes back to. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Kept, olderCheckpoints, rollBack, writeCheckpoint } from "../../cli/checkpoint-folder.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { complaint, tempFolder } from "../data/temp-folder.ts";

/** As much of a checkpoint as the folder looks at; `mark` tells two of one step apart. */
const bytesOf = (step: number, mark = 0) =>
  writeSafetensors(new Map([["w", { shape: [1], data: Float32Array.of(mark) }]]), { step: `${step}` });

const save = (folder: string, step: number, kept: Kept, mark?: number) =>
  writeCheckpoint(folder, bytesOf(step, mark), step, kept);

const newest = (folder: string) => readFileSync(join(folder, "checkpoint.safetensors"));
const older = (folder: string) => olderCheckpoints(folder).map(({ step }) => step);

describe("the last ones stay, and those of every so many steps", () => {
  test.each<[Kept, number[]]>([
    [{ keepLast: 1 }, []],
    [{ keepLast: 2 }, [90]],
    [{ keepLast: 4 }, [90, 80, 70]],
    [{ keepLast: 99 }, [90, 80, 70, 60, 50, 40, 30, 20, 10]],
    [{ keepLast: 1, keepEvery: 40 }, [80, 40]],
    [{ keepLast: 3, keepEvery: 40 }, [90, 80, 40]],
  ])("%j after ten of 10 to 100", (kept, expected) => {
    const folder = tempFolder();
    for (let step = 10; step <= 100; step += 10) {
      save(folder, step, kept);
      expect(newest(folder)).toEqual(Buffer.from(bytesOf(step)));
    }
    expect(older(folder)).toEqual(expected);
    for (const { step, path } of olderCheckpoints(folder))
      expect(readFileSync(path)).toEqual(Buffer.from(bytesOf(step)));
  });

  test("without writing any of them twice", () => {
    const folder = tempFolder();
    save(folder, 5, { keepLast: 2 });
    const { ino } = statSync(join(folder, "checkpoint.safetensors"));
    save(folder, 10, { keepLast: 2 });
    expect(statSync(join(folder, "checkpoints", "00000005.safetensors")).ino).toBe(ino);
  });

  test("under names that sort as the steps do, beside files of others", () => {
    const folder = tempFolder();
    for (const step of [9, 10, 200_000, 123_456_789]) save(folder, step, { keepLast: 9 });
    writeFileSync(join(folder, "checkpoints", "notes.txt"), "mine");
    const names = readdirSync(join(folder, "checkpoints")).sort();
    expect(names).toEqual([
      "00000009.safetensors",
      "00000010.safetensors",
      "00200000.safetensors",
      "notes.txt",
    ]);
    expect(older(folder)).toEqual([200_000, 10, 9]);
  });

  test("a step saved twice stands once; steps of a past that was given up go", () => {
    const folder = tempFolder();
    for (const step of [10, 20, 30, 40]) save(folder, step, { keepLast: 4 });
    save(folder, 40, { keepLast: 4 }, 7);
    expect(older(folder)).toEqual([30, 20, 10]);
    writeFileSync(join(folder, "checkpoint.safetensors"), bytesOf(10)); // someone goes back to it
    save(folder, 20, { keepLast: 4 }, 8);
    expect(older(folder)).toEqual([10]);
    expect(newest(folder)).toEqual(Buffer.from(bytesOf(20, 8)));
  });
});

describe("going back", () => {
  const ofSteps = (...steps: number[]) => {
    const folder = tempFolder();
    for (const step of steps) save(folder, step, { keepLast: 9 });
    return folder;
  };

  test("to the newest, if that is early enough", () => {
    const folder = ofSteps(10, 20, 30);
    expect(rollBack(folder, 31)).toBe(30);
    expect(older(folder)).toEqual([20, 10]);
  });

  test("to the last early enough; the later ones go", () => {
    const folder = ofSteps(10, 20, 30, 40);
    expect(rollBack(folder, 30)).toBe(20);
    expect(newest(folder)).toEqual(Buffer.from(bytesOf(20)));
    expect(older(folder)).toEqual([10]);
  });

  test("to none, if none is: nothing is changed", () => {
    const folder = ofSteps(10, 20);
    expect(rollBack(folder, 10)).toBe(undefined);
    expect([newest(folder), older(folder)]).toEqual([Buffer.from(bytesOf(20)), [10]]);
    expect(rollBack(tempFolder(), 10)).toBe(undefined);
  });
});

test("a checkpoint that is none is not taken for one, and stays", () => {
  const folder = tempFolder({ "checkpoint.safetensors": "half" });
  expect(complaint(folder, () => save(folder, 5, { keepLast: 2 }))).toBe(
    "UsageError: readSafetensors: got 4 bytes, expected at least 10; the file is empty or cut short",
  );
  expect(newest(folder).toString()).toBe("half");
});
