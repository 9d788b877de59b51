import { expect, test } from "vitest";
import { first, type ImageSet, order, split, subset, toBatch } from "../../data/dataset.ts";

/** Image i holds i, i + 1/4, i + 1/2, i + 3/4, all over 100; its class is i % 10. */
const counting = (count: number): ImageSet => ({
  ...{ name: "counting", count, channels: 1, height: 2, width: 2 },
  image: (i, out, offset) =>
    out.set(
      [0, 1, 2, 3].map((k) => (i + k / 4) / 100),
      offset,
    ),
  label: (i) => i % 10,
});

test("toBatch lays the images out one after the other, in the order asked for", () => {
  const batch = toBatch(counting(9), [7, 0]);
  expect(Array.from(batch, (value) => Math.round(value * 1e4))).toEqual([700, 725, 750, 775, 0, 25, 50, 75]);
});

test("toBatch names an index outside the set", () => {
  expect(() => toBatch(counting(9), [0, 9])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: toBatch: got index 9, expected 0 to 8 (counting has 9 images); take indices from order(seed, epoch, set.count)]`,
  );
});

test("subset and first keep images and labels together", () => {
  const some = subset(counting(50), [13, 42]);
  expect(some.count).toBe(2);
  expect(some.label?.(1)).toBe(2);
  expect(toBatch(some, [1])[0]).toBeCloseTo(0.42);
  expect(first(counting(50), 3).count).toBe(3);
  expect(() => first(counting(50), 51)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: counting: got count 51, expected a whole number from 1 to 50; leave count out to take every image]`,
  );
});

test("split parts the set in two, the same way each time, and spreads the classes over both", () => {
  const set = counting(1000);
  const { train, heldBack } = split(set, { heldBack: 100 });
  const ids = (part: ImageSet) =>
    Array.from({ length: part.count }, (_, i) => Math.round(toBatch(part, [i])[0]! * 100));
  expect([train.count, heldBack.count]).toEqual([900, 100]);
  expect([...ids(train), ...ids(heldBack)].sort((a, b) => a - b)).toEqual(
    Array.from({ length: 1000 }, (_, i) => i),
  );
  expect(ids(split(set, { heldBack: 100 }).heldBack)).toEqual(ids(heldBack));
  for (let digit = 0; digit < 10; digit++) {
    expect(ids(heldBack).filter((id) => id % 10 === digit).length).toBeGreaterThan(2);
  }
  expect(() => split(set, { heldBack: 0.1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: split: got heldBack 0.1, expected a whole number of images from 1 to 999 (counting has 1000); a tenth of the set is usual]`,
  );
});

test("order is a shuffle of its own for every seed and epoch, and needs no state to be had again", () => {
  const all = Array.from({ length: 200 }, (_, i) => i);
  const shuffle = order(5, 3, 200);
  expect([...shuffle].sort((a, b) => a - b)).toEqual(all);
  expect(order(5, 3, 200)).toEqual(shuffle);
  const others = [order(5, 4, 200), order(6, 3, 200), order(5 + 2 ** 32, 3, 200), Uint32Array.from(all)];
  for (const other of others) expect(other).not.toEqual(shuffle);
});

test("order favours no place: over many epochs every image comes first about as often", () => {
  const counts = new Array<number>(10).fill(0);
  for (let epoch = 0; epoch < 5000; epoch++) counts[order(0, epoch, 10)[0]!]!++;
  const chiSquared = counts.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
  expect(chiSquared).toBeLessThan(27.9); // 9 degrees of freedom, one in a thousand
});
