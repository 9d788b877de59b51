import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { complaint, tempFolder } from "../data/temp-folder.ts";

test("writes bytes and text, makes folders, replaces an older file, leaves nothing beside it", () => {
  const folder = tempFolder();
  const path = join(folder, "a", "b", "file");
  writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  expect(Array.from(readFileSync(path))).toEqual([1, 2, 3]);
  writeFileAtomic(path, "text");
  expect(readFileSync(path, "utf8")).toBe("text");
  expect(readdirSync(join(folder, "a", "b"))).toEqual(["file"]);
});

test("says what it cannot write, and leaves no half of it", () => {
  const folder = tempFolder({ file: "older" });
  mkdirSync(join(folder, "taken"));
  writeFileSync(join(folder, "taken", "inside"), "");
  const write = (...path: string[]) => complaint(folder, () => writeFileAtomic(join(folder, ...path), "x"));
  expect(write("taken")).toMatch(
    /^UsageError: write: cannot write FOLDER\/taken \(EISDIR.*; check the folder/,
  );
  expect(write("file", "below")).toMatch(
    /^UsageError: write: cannot write FOLDER\/file\/below \(E.*; check the folder/,
  );
  expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("older");
});
