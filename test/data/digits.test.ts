import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { toBatch } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";

const SIZE = 28 * 28;
const all = (count: number) => Array.from({ length: count }, (_, i) => i);

test("12,000 digits, no two alike", () => {
  const set = digits();
  const batch = toBatch(set, all(set.count));
  const hashes = all(set.count).map((i) => {
    const image = batch.subarray(i * SIZE, (i + 1) * SIZE);
    return createHash("sha1")
      .update(new Uint8Array(image.buffer, image.byteOffset, image.byteLength))
      .digest("hex");
  });
  expect(new Set(hashes).size).toBe(12_000);
});

test("image i depends on the seed and on i alone", () => {
  const long = digits({ count: 100, seed: 3 });
  const short = digits({ count: 50, seed: 3 });
  toBatch(long, [99, 7]); // order of reading does not matter
  expect(toBatch(long, [41])).toEqual(toBatch(short, [41]));
  expect(toBatch(long, [41])).toEqual(toBatch(long, [41])); // and what is kept is what was drawn
  expect(toBatch(digits({ count: 50, seed: 4 }), [41])).not.toEqual(toBatch(short, [41]));
});

test("every digit has dark corners, ink in white, and lies in the middle", () => {
  const set = digits({ count: 500 });
  for (let i = 0; i < set.count; i++) {
    const image = toBatch(set, [i]);
    let [ink, x, y] = [0, 0, 0];
    image.forEach((value, p) => {
      ink += value;
      x += value * (p % 28);
      y += value * Math.floor(p / 28);
    });
    const edge = image.filter((_, p) => p % 28 === 0 || p % 28 === 27 || p < 28 || p >= SIZE - 28);
    expect(Math.max(...edge)).toBe(0);
    expect(Math.min(...image)).toBe(0);
    expect(Math.max(...image)).toBeGreaterThan(0.8);
    expect(Math.max(...image)).toBeLessThanOrEqual(1);
    expect(ink).toBeGreaterThan(20); // MNIST: 20 to 300
    expect(ink).toBeLessThan(300);
    expect(Math.hypot(x / ink - 13.5, y / ink - 13.5)).toBeLessThan(5);
  }
});

test("digits can be told apart: the nearest of a thousand others is mostly the same digit", () => {
  const set = digits({ count: 1200 });
  const batch = toBatch(set, all(1200));
  const distance = (i: number, j: number) => {
    let sum = 0;
    for (let p = 0; p < SIZE; p++) sum += (batch[i * SIZE + p]! - batch[j * SIZE + p]!) ** 2;
    return sum;
  };
  let right = 0;
  for (let i = 1000; i < 1200; i++) {
    let [best, nearest] = [Infinity, 0];
    for (let j = 0; j < 1000; j++) {
      const d = distance(i, j);
      if (d < best) [best, nearest] = [d, j];
    }
    if (set.label?.(nearest) === set.label?.(i)) right++;
    expect(best).toBeGreaterThan(1); // no near copies either
  }
  expect(right / 200).toBeGreaterThan(0.85);
});

test("digits names a wrong count", () => {
  expect(() => digits({ count: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: digits: got count 0, expected a whole number from 1; 12000 is the usual size]`,
  );
});
