/** What of the page needs no browser: numbers in words, the mask that is painted, the places of a grid's images. */
import { expect, test } from "vitest";
import { toBatch } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";
import { bytes, count, duration, number } from "../../web/format.ts";
import { layout } from "../../web/sample/grid.ts";
import { HeldBack } from "../../web/sample/held-back.ts";
import { Mask } from "../../web/sample/mask.ts";
import { exactly } from "../../web/save.ts";

test("numbers are written as people read them", () => {
  expect([0, 1, 0.059948, 12.345, 1234.5, 999_999].map((v) => number(v))).toEqual([
    "0",
    "1",
    "0.0599",
    "12.3",
    "1,230",
    "1,000,000",
  ]);
  expect([2e-5, 1.25e7, -3e-9, Number.NaN].map((v) => number(v, 2))).toEqual([
    "2.0 × 10^-5",
    "1.3 × 10^7",
    "-3.0 × 10^-9",
    "NaN",
  ]);
  expect([140_593, 0.4].map(count)).toEqual(["140,593", "0"]);
  expect([0, 999, 567_372, 2 ** 30].map(bytes)).toEqual(["0 bytes", "999 bytes", "567 kB", "1.07 GB"]);
  expect([0.44, 9.96, 59.4, 59.6, 187, 3599.7, 3720, Number.POSITIVE_INFINITY].map(duration)).toEqual([
    "0.4 s",
    "10 s",
    "59 s",
    "1 min 00 s",
    "3 min 07 s",
    "1 h 00 min",
    "1 h 02 min",
    "unknown",
  ]);
});

test("values are saved so that float32 comes back to the bit", () => {
  const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i) * 10 ** ((i % 60) - 30));
  expect(Float32Array.from(JSON.parse(JSON.stringify(exactly(values))))).toEqual(values);
});

test("a brush hides the pixels within its reach, and no others", () => {
  const hiddenBy = (brush: number, x = 4, y = 4) => {
    const mask = new Mask(9, 9);
    mask.paint(x, y, brush);
    return mask.count;
  };
  expect([1, 3, 5].map((brush) => hiddenBy(brush))).toEqual([1, 9, 21]); // 5 across without its corners
  expect(hiddenBy(3, 0, 0)).toBe(4);
});

test("a stroke leaves no gaps, and can be taken back", () => {
  const mask = new Mask(28, 28);
  mask.stroke([2, 3], [20, 9], 1);
  const columns = Array.from(
    { length: 28 },
    (_, x) => mask.hidden.filter((v, i) => v && i % 28 === x).length,
  );
  expect(columns.slice(2, 21)).toEqual(Array(19).fill(1));
  expect(mask.count).toBe(19);
  expect(mask.known().reduce((sum, v) => sum + v, 0)).toBe(784 - 19);
  mask.stroke([2, 3], [20, 9], 1, false);
  expect(mask.count).toBe(0);
});

test("the cursor stops at the edges", () => {
  const mask = new Mask(28, 28);
  mask.move(-100, 100);
  expect(mask.cursor).toEqual({ x: 0, y: 27 });
  mask.set((x, y) => x === 0 && y === 27);
  expect(mask.describe()).toBe("1 of 784 pixels hidden; cursor at column 1, row 28, a pixel that is hidden");
});

test.each([1, 2, 5, 16, 64])("a grid of %i images holds each apart", (n) => {
  const { corner, width, height } = layout(n, 28, 28);
  const taken = new Set<number>();
  let apart = true;
  for (let i = 0; i < n; i++) {
    const [left, top] = corner(i);
    for (let y = top; y < top + 28; y++)
      for (let x = left; x < left + 28; x++) {
        apart &&= x < width && y < height && !taken.has(y * width + x);
        taken.add(y * width + x);
      }
  }
  expect(apart).toBe(true);
});

test("the digits to complete are those of their name, by as many hands as are told", () => {
  const heldBack = new HeldBack(200);
  const all = digits();
  const drawn = (i: number) => toBatch(all, [i]).join();
  for (const digit of [0, 8]) {
    const image = heldBack.image(digit, heldBack.hands).join();
    const ofDigit = Array.from({ length: all.count / 10 }, (_, k) => 10 * k + digit);
    expect(ofDigit.some((i) => drawn(i) === image)).toBe(true);
  }
  expect(heldBack.hands).toBeGreaterThan(5);
  expect(heldBack.image(8, 1)).not.toEqual(heldBack.image(8, 2));
});
