/** Files of any length, in pieces that Node takes. */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { readWhole, writeWhole } from "../../cli/whole-file.ts";
import { tempFolder } from "../data/temp-folder.ts";

/** The lengths that node:fs was asked for. */
const asked = vi.hoisted((): number[] => []);
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  type Call = (file: number, bytes: Uint8Array, offset: number, length: number, at: number) => number;
  const counted =
    (call: Call): Call =>
    (file, bytes, offset, length, at) => {
      asked.push(length);
      return call(file, bytes, offset, length, at);
    };
  return { ...fs, readSync: counted(fs.readSync), writeSync: counted(fs.writeSync) };
});

describe.each([0, 1, 6, 7, 20])("%i bytes", (count) => {
  const bytes = Uint8Array.from({ length: count }, (_, i) => 255 - i);

  test("go out and come back, however small the pieces", () => {
    const path = join(tempFolder(), "file");
    for (const piece of [3, 7, undefined]) {
      asked.length = 0;
      const file = openSync(path, "w");
      writeWhole(file, bytes, piece);
      closeSync(file);
      expect(Uint8Array.from(readFileSync(path))).toEqual(bytes);
      expect(readWhole(path, piece)).toEqual(bytes);
      if (piece !== undefined) expect(Math.max(...asked)).toBeLessThanOrEqual(piece);
    }
  });
});

test("nothing is asked of Node that it refuses: 2 GiB at once", () => {
  asked.length = 0;
  const huge = Object.create(Uint8Array.prototype, { length: { value: 3 * 2 ** 30 } });
  expect(() => writeWhole(-1, huge)).toThrow();
  expect(asked).toEqual([2 ** 30]);
});

test("what cannot be read is told by its code", () => {
  const folder = tempFolder();
  mkdirSync(join(folder, "inside"));
  writeFileSync(join(folder, "file"), "x");
  const codeOf = (name: string) => {
    try {
      readWhole(join(folder, name));
    } catch (fault) {
      return (fault as NodeJS.ErrnoException).code;
    }
  };
  expect([codeOf("none"), codeOf("inside"), codeOf("file")]).toEqual(["ENOENT", "EISDIR", undefined]);
});
