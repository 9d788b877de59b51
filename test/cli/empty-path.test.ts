/** Paths with nothing in them, as of a shell's variable that was never set, are no folder that is at hand by chance. */
import { readdirSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { newFolder, removeFolders, steinHere } from "./stein.ts";

afterAll(removeFolders);

test.each([
  [["sample", ""], "sample: got <run> with nothing in it, expected a path or a name"],
  [["sample", ".", "--out", ""], "sample: got --out with nothing in it, expected a folder"],
  [["train", ""], "train: got <config> with nothing in it, expected a path or a name"],
  [["train", "x.yaml", "-o", ""], "train: got --out with nothing in it, expected a folder"],
  [["data", "fetch", "mnist", "--to", ""], "fetch: got --to with nothing in it, expected a folder"],
  [["data", "check", ""], "check: got <folder> with nothing in it, expected a path or a name"],
  [["bench", "--json", ""], "kernels: got --json with nothing in it, expected a file"],
  [["evaluate", ".", "--classifier", ""], "evaluate: got --classifier with nothing in it, expected a run"],
])("%j", async (args, says) => {
  const cwd = newFolder();
  const { code, complaints } = await steinHere(args, { cwd });
  expect(complaints).toEqual([`stein: ${says}`]);
  expect([code, readdirSync(cwd)]).toEqual([2, []]);
});
