/** Where results cannot be written is told before the work whose results they are. */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { folderFor } from "../../cli/run-folder.ts";
import { requireWritable, requireWritableFile } from "../../cli/writable.ts";
import { UsageError } from "../../engine/errors.ts";
import { newFolder, removeFolders, steinHere } from "./stein.ts";

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const mkdtempSync = (prefix: string) => {
    if (dirname(prefix).endsWith("read-only")) throw Object.assign(new Error("refused"), { code: "EROFS" });
    return fs.mkdtempSync(prefix);
  };
  return { ...fs, mkdtempSync };
});
afterAll(removeFolders);

const folder = newFolder({ "a.txt": "a", "read-only/b.txt": "b" });
const within = (path: string) => join(folder, path);

test("a run's folder, that of a checkpoint, or what was asked for, which need not be there yet", () => {
  writeFileSync(within("checkpoint.safetensors"), "");
  expect(folderFor("sample", folder, undefined)).toBe(folder);
  expect(folderFor("sample", within("checkpoint.safetensors"), undefined)).toBe(folder);
  expect(folderFor("sample", folder, within("new/er"))).toBe(within("new/er"));
});

test.each([
  ["a.txt", "sample: got --out a.txt, which is a file, expected a folder; give another --out"],
  ["a.txt/b/c", "sample: got --out a.txt/b/c, but a.txt is a file, expected a folder; give another --out"],
  [
    "read-only/new",
    "sample: cannot write read-only/new (EROFS), expected a writable place; check the folder's rights, or give another --out",
  ],
])("%s is refused", (path, says) => {
  const complaint = () => {
    try {
      requireWritable("sample", within(path));
    } catch (fault) {
      throw new Error((fault as Error).message.replaceAll(`${folder}/`, ""));
    }
  };
  expect(complaint).toThrow(new Error(says));
});

const folderForFile = "which is a folder, expected a file; give a file's name in it";

test.each([
  [folder, `bench: got --json ${folder}, ${folderForFile}`],
  [within("new/"), `bench: got --json ${within("new/")}, ${folderForFile}`],
  [
    within("a.txt/b"),
    `bench: got --json ${within("a.txt/b")}, but ${within("a.txt")} is a file, expected a folder; give another --json`,
  ],
])("a file cannot be written to %j", (file, says) => {
  expect(() => requireWritableFile("bench", file, "--json")).toThrow(new UsageError(says));
});

test("files in the place of older ones or of none can be written", () => {
  for (const file of ["a.txt", "new/er.txt"]) requireWritableFile("bench", within(file), "--json");
});

test.each([
  ["bench --json", "bench: got --json"],
  ["bench --html", "bench: got --html"],
  ["data show digits --out", "data: got --out"],
  ["convert nowhere.safetensors --out", "convert: got --out"],
])("%s takes no folder", async (args, says) => {
  const { code, complaints } = await steinHere([...args.split(" "), "."], { cwd: folder });
  expect(complaints).toEqual([`stein: ${says} ., ${folderForFile}`]);
  expect(code).toBe(2);
});
