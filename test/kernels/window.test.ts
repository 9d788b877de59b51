import { expect, test } from "vitest";
import { pad } from "../../engine/ops/index.ts";
import * as oracle from "../../engine/oracle/shape.ts";
import { windowCopy } from "../../kernels/window.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** [planes, height, width] into [lines, pitch] with the first element at [top, left], below 0 where x is cropped. */
test.each([
  [
    [1, 1, 1],
    [1, 1],
    [0, 0],
  ],
  [
    [3, 5, 7],
    [7, 9],
    [1, 1],
  ],
  [
    [3, 5, 7],
    [5, 1],
    [0, -6],
  ],
  [
    [2, 4, 3],
    [9, 2],
    [4, -1],
  ],
  [
    [5, 3, 2],
    [1, 11],
    [-2, 5],
  ],
  [
    [2, 3, 4],
    [2, 3],
    [5, 0],
  ],
  [
    [41, 6, 9],
    [8, 11],
    [1, 1],
  ],
] as const)("%j in %j at %j", async ([planes, height, width], [lines, pitch], [top, left]) => {
  const x = normal([planes, height, width], 1);
  const count = planes * lines * pitch;
  const expected = new Float64Array(count).fill(-1.5);
  for (let at = 0; at < count; at++) {
    const row = (Math.floor(at / pitch) % lines) - top;
    const column = (at % pitch) - left;
    const plane = Math.floor(at / pitch / lines);
    if (row >= 0 && row < height && column >= 0 && column < width)
      expected[at] = x.data[(plane * height + row) * width + column]!;
  }
  const bits = new Uint32Array(Float32Array.of(-1.5).buffer)[0]!;
  const numbers = { count, height, width, lines, pitch, top: top >>> 0, left: left >>> 0, bits };
  for (const v of windowCopy.variants) {
    const { y } = await launched(windowCopy, v, { x }, { y: [count] }, numbers);
    expectNear(y!, { shape: [count], data: expected }, { magnitude: 0 }, v.by);
  }
});

test.each(["cpu", "gpu"] as const)("whole numbers keep their bits: %s", (kind) =>
  choosingFor({ kind }, async () => {
    const data = Int32Array.from({ length: 14 }, (_, i) => (i % 2 === 0 ? i - 2 ** 31 : 2 ** 31 - i));
    const pads = [
      [0, 1],
      [2, 0],
    ] as const;
    const y = engine.scope(() => pad(engine.tensor(data, [2, 7]), pads, -9));
    const expected = oracle.pad({ shape: [2, 7], data: Float64Array.from(data) }, pads, -9);
    expect([...(await y.data())]).toEqual([...expected.data]);
    y.dispose();
  }),
);
