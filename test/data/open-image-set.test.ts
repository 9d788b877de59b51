import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { toBatch } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";
import { type ImageSetSpec, openImageSet } from "../../data/index.ts";
import { complaint, tempFolder } from "./temp-folder.ts";

test("digits open by name, with count and seed", () => {
  const set = openImageSet({ name: "digits", count: 20, seed: 5 });
  expect(set.count).toBe(20);
  expect(toBatch(set, [3])).toEqual(toBatch(digits({ seed: 5 }), [3]));
});

test("a larger size gets a black border, a smaller one the mean of what it covers", () => {
  const [own, large, small] = [28, 32, 14].map((size) =>
    toBatch(openImageSet({ name: "digits", size }), [8]),
  ) as [Float32Array, Float32Array, Float32Array];
  const sum = (image: Float32Array) => image.reduce((total, value) => total + value, 0);
  expect([large.length, small.length]).toEqual([32 * 32, 14 * 14]);
  expect(large[32 * (2 + 14) + 2 + 13]).toBe(own[28 * 14 + 13]);
  expect(sum(large)).toBeCloseTo(sum(own), 3);
  expect(sum(small)).toBeCloseTo(sum(own) / 4, 3);
});

test("grey images can be had as RGB, in a batch with others", () => {
  const set = openImageSet({ name: "digits", size: 30, channels: 3 });
  const batch = toBatch(set, [1, 2]);
  expect(batch.length).toBe(2 * 3 * 900);
  const second = batch.subarray(2700);
  expect(second.subarray(900, 1800)).toEqual(second.subarray(0, 900));
});

test("a folder opens with its size and channels", () => {
  const png = encode({ width: 6, height: 6, channels: 1, depth: 8, data: new Uint8Array(36).fill(255) });
  const set = openImageSet({ name: "folder", path: tempFolder({ "a.png": png }), size: 3, channels: 1 });
  expect(Array.from(toBatch(set, [0]))).toEqual(new Array(9).fill(1));
});

test("says what is wrong with a spec", () => {
  const open = (spec: Omit<ImageSetSpec, "name"> & { name: string }) => () =>
    openImageSet(spec as ImageSetSpec);
  expect(open({ name: "minst" })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: data: got "minst", expected digits, mnist, cifar10, folder; did you mean "mnist"?]`,
  );
  expect(open({ name: "toString" })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: data: got "toString", expected digits, mnist, cifar10, folder; choose one of them]`,
  );
  expect(open({ name: "mnist" })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: data: got "mnist" without a path, expected the folder of its files; give path, or use the built-in "digits"]`,
  );
  expect(open({ name: "digits", size: 7.5 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: digits: got size 7.5, expected a whole number of pixels; 28, 32 and 64 are usual]`,
  );
  expect(open({ name: "digits", channels: 2 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: digits: got channels 2, expected 1 (grey) or 3 (RGB); leave it out for the set's own]`,
  );
});

test("what is made by formula imports nothing of Node, so that it runs in a browser", () => {
  const folder = new URL("../../data/", import.meta.url);
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const [, target] of readFileSync(new URL(name, folder), "utf8").matchAll(/from "([^"]+)"/g)) {
      expect(target, `${name} imports ${target}`).toMatch(/^\.\/|^\.\.\/engine\/errors\.ts$/);
      if (target!.startsWith("./")) visit(target!);
    }
  };
  for (const name of ["./digits.ts", "./toys.ts", "./dataset.ts", "./conform.ts"]) visit(name);
  expect(seen.size).toBeGreaterThan(5);
});

test("what only a folder of images knows is refused for any other set", () => {
  expect(() => openImageSet({ name: "digits", crop: 20 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: data: got crop 20 for "digits", expected it for a folder of images only; take it out]`,
  );
  for (const spec of [{ resize: "bicubic" }, { stream: false }, { memory: 3 }] as const)
    expect(() => openImageSet({ name: "mnist", path: "nowhere", ...spec })).toThrow(
      /for a folder of images only/,
    );
});

test.each(["mnist", "cifar10"] as const)("%s takes no file in its folder's place", (name) => {
  const folder = tempFolder({ "cifar-10-batches-bin": "", file: "" });
  expect(complaint(folder, () => openImageSet({ name, path: join(folder, "file") }))).toBe(
    `UsageError: ${name}: got path FOLDER/file, which is a file, expected the folder of its files; give that`,
  );
  if (name === "cifar10")
    expect(complaint(folder, () => openImageSet({ name, path: folder }))).toBe(
      "UsageError: cifar10: got path FOLDER/cifar-10-batches-bin, which is a file, expected the folder of its files; give that",
    );
});
