import { decode } from "fast-png";
import { expect, test } from "vitest";
import { animation } from "../../cli/pictures/gif.ts";
import { strip } from "../../cli/pictures/strip.ts";
import { beside, tile } from "../../cli/pictures/tile.ts";

const shape = { c: 1, h: 1, w: 2 };
/** Frame f of three images, each of one shade: image i in frame f has (10 i + f) / 255. */
const frames = (from: number) =>
  Array.from({ length: 19 }, (_, f) =>
    Float32Array.from({ length: 6 }, (_, k) => (from + 10 * Math.floor(k / 2) + f) / 255),
  );

test("a strip shows each image in some of the frames, both ends among them, and the others under it", () => {
  const png = decode(strip(frames(100), frames(0), { ...shape, images: 2, moments: 4, scale: 1 }));
  expect([png.width, png.height, png.channels]).toEqual([2 + 4 * 4, 2 + 4 * 3, 1]);
  const shade = (row: number, column: number) => png.data[(2 + 3 * row) * png.width + 2 + 4 * column];
  const rows = [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => shade(row, column)));
  expect(rows).toEqual([
    [100, 106, 112, 118],
    [0, 6, 12, 18],
    [110, 116, 122, 128],
    [10, 16, 22, 28],
  ]);
});

test("a strip of fewer frames and images than are asked for shows all", () => {
  const png = decode(strip(frames(100).slice(0, 3), frames(0).slice(0, 3), shape));
  expect([png.width, png.height]).toEqual([2 + 3 * 4, 2 + 6 * 3]);
  const one = decode(strip(frames(0).slice(0, 1), frames(0).slice(0, 1), shape));
  expect(one.width).toBe(2 + 4);
});

test("two pictures stand side by side, row by row, channels kept", () => {
  const picture = (c: number, from: number) =>
    tile(
      "test",
      Float32Array.from({ length: 2 * c * 6 }, (_, i) => (from + i) / 255),
      { n: 2, c, h: 2, w: 3 },
    );
  for (const c of [1, 3]) {
    const [left, right] = [picture(c, 0), picture(c, 100)];
    const both = beside(left, right);
    expect([both.width, both.height, both.channels]).toEqual([2 * left.width, left.height, c]);
    for (let y = 0; y < both.height; y++) {
      const row = (p: typeof both) => [...p.data.subarray(y * p.width * c, (y + 1) * p.width * c)];
      expect(row(both)).toEqual([...row(left), ...row(right)]);
    }
  }
});

test("an animation with frames beside is twice as wide", () => {
  const width = (gif: Uint8Array) => new DataView(gif.buffer, gif.byteOffset).getUint16(6, true);
  const options = { ...shape, n: 3 };
  expect(width(animation(frames(0), { ...options, beside: frames(100) }))).toBe(
    2 * width(animation(frames(0), options)),
  );
});

test("frames that have no partner are refused", () => {
  const [some, fewer] = [frames(0), frames(0).slice(1)];
  expect(() => strip(some, fewer, shape)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: strip: got 19 frames above 18, expected as many of each, at least one]`,
  );
  expect(() => strip([], [], shape)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: strip: got 0 frames above 0, expected as many of each, at least one]`,
  );
  expect(() => animation(some, { ...shape, n: 3, beside: fewer })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: animation: got 18 frames beside 19, expected one for each; leave none out]`,
  );
});
