import { expect, test } from "vitest";
import { animation } from "../../cli/pictures/gif.ts";

/** What a GIF file says of itself: its size and the delay of every frame, in hundredths of a second. */
function describe(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tableSize = (packed: number) => (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);
  const skipBlocks = (at: number) => {
    while (bytes[at] !== 0) at += 1 + bytes[at]!;
    return at + 1;
  };
  const signature = String.fromCharCode(...bytes.subarray(0, 6));
  const size = [view.getUint16(6, true), view.getUint16(8, true)];
  const delays: number[] = [];
  let loops: number | undefined;
  let [frames, at] = [0, 13 + tableSize(bytes[10]!)];
  while (bytes[at] !== 0x3b) {
    if (bytes[at] === 0x21) {
      if (bytes[at + 1] === 0xf9) delays.push(view.getUint16(at + 4, true));
      if (bytes[at + 1] === 0xff) loops = view.getUint16(at + 16, true);
      at = skipBlocks(at + 2);
    } else {
      expect(bytes[at]).toBe(0x2c);
      frames++;
      at = skipBlocks(at + 10 + tableSize(bytes[at + 9]!) + 1);
    }
  }
  expect(at).toBe(bytes.length - 1);
  return { signature, size, frames, delays, loops };
}

test("every frame is there, the last one held, repeating for ever", () => {
  const frame = (level: number) => new Float32Array(2 * 9).fill(level);
  const bytes = animation([frame(0), frame(0.5), frame(1)], {
    n: 2,
    c: 1,
    h: 3,
    w: 3,
    delay: 100,
    hold: 1500,
    gap: 1,
  });
  expect(describe(bytes)).toEqual({
    signature: "GIF89a",
    size: [9, 5],
    frames: 3,
    delays: [10, 10, 150],
    loops: 0,
  });
});

test("the grey palette is every grey in order, written once", () => {
  const bytes = animation([new Float32Array(4), new Float32Array(4)], { n: 1, c: 1, h: 2, w: 2 });
  expect(Array.from(bytes.subarray(13, 13 + 768))).toEqual(
    Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
  );
  expect(bytes.length).toBeLessThan(1000);
});

test("RGB frames each have a palette of their own", () => {
  const red = Float32Array.of(1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const blue = Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1);
  const bytes = animation([red, blue], { n: 1, c: 3, h: 2, w: 2, gap: 0 });
  expect(describe(bytes)).toMatchObject({ size: [2, 2], frames: 2 });
  expect(Array.from(bytes.subarray(13, 16))[0]).toBeGreaterThan(240);
});

test("says what is wrong with frames", () => {
  const shape = { n: 1, c: 1, h: 2, w: 2 };
  expect(() => animation([], shape)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: animation: got no frames, expected at least one; record one for every few sampling steps]`,
  );
  expect(() =>
    animation([new Float32Array(4), new Float32Array(5)], shape),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: animation: got 5 values, expected 4 for [1, 1, 2, 2]; give the shape of the images as n, c, h, w]`,
  );
});
