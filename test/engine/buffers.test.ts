import { expect, test } from "vitest";
import { mebibytes, sizeClass, toldApart } from "../../engine/buffers.ts";

test("size classes hold what is asked, in multiples of 256, and waste an eighth at most", () => {
  for (let bytes = 4; bytes < 2 ** 33; bytes = Math.ceil(bytes * 1.013) + 4) {
    const size = sizeClass(bytes);
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size % 256).toBe(0);
    expect(size).toBeLessThanOrEqual(Math.max(bytes + 256, bytes * 1.125));
    expect(sizeClass(size), `${size} is its own class`).toBe(size);
  }
});

test("mebibytes are for people", () => {
  expect(mebibytes(3.5 * 2 ** 20)).toBe("3.5 MiB");
  expect(toldApart(2 ** 20, 2 ** 21)).toEqual(["1.0 MiB", "2.0 MiB"]);
  expect(toldApart(2 ** 20 + 4, 2 ** 20)).toEqual(["1048580 bytes", "1048576 bytes"]);
});
