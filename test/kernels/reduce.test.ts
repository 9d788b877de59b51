import { describe, expect, test } from "vitest";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/reduce.ts";
import { type ReduceName, type ReduceVariant, reduce } from "../../kernels/reduce.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const mathematics: Record<ReduceName, (x: Array64) => Array64> = {
  sum: (x) => oracle.sum(x, [1]),
  max: (x) => oracle.max(x, [1]),
  min: (x) => oracle.min(x, [1]),
};

const fits: Record<ReduceVariant["by"], (length: number, inner: number) => boolean> = {
  thread: () => true,
  group: () => true,
  wide: (length, inner) => inner === 1 && length % 4 === 0,
  eights: (length, inner) => inner === 1 && length % 4 === 0,
  along: (length, inner) => inner === 1 && length % 4 === 0,
  across: (_, inner) => inner % 4 === 0,
};

describe.each(["thread", "along", "across", "group", "wide", "eights"] as const)("by %s", (by) => {
  test.each(["sum", "max", "min"] as const)("%s", async (op) => {
    for (const [outer, length, inner] of [
      [1, 1, 1],
      [3, 2, 1],
      [2, 63, 1],
      [1, 64, 3],
      [5, 65, 2],
      [70, 130, 1],
      [1, 1000, 7],
      [1, 4, 1],
      [67, 36, 1],
      [2, 1000, 1],
      [1, 1, 4],
      [3, 37, 8],
      [2, 1000, 68],
    ] as const) {
      if (!fits[by](length, inner)) continue;
      const x = normal([outer, length, inner], 1);
      const params = { outer, length, inner, segments: 1, scale: 0.5 };
      const { y } = await launched(reduce, { op, by }, { x }, { y: [outer, inner] }, params);
      const magnitude = op === "sum" ? mathematics.sum(map(x, Math.abs)) : "largest";
      expectNear(
        y!,
        map(mathematics[op](x), (v) => 0.5 * v),
        { terms: length, magnitude },
        `[${outer},${length},${inner}]`,
      );
    }
  });

  test("segments are the same parts of the whole, whoever walks them", async () => {
    const inFours = by === "along" || by === "wide" || by === "eights";
    const inner = inFours ? 1 : by === "across" ? 4 : 3;
    const x = normal([2, 100, inner], 1);
    const params = { outer: 2, length: 100, inner, segments: 7, scale: 1 };
    const { y } = await launched(reduce, { op: "sum" as const, by }, { x }, { y: [2, 7, inner] }, params);
    const size = 16;
    for (let o = 0; o < 2; o++)
      for (let s = 0; s < 7; s++)
        for (let i = 0; i < inner; i++) {
          let total = 0;
          for (let k = s * size; k < Math.min(100, (s + 1) * size); k++)
            total += x.data[(o * 100 + k) * inner + i]!;
          expect(y![(o * 7 + s) * inner + i]).toBeCloseTo(total, 4);
        }
  });
});
