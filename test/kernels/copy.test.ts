import { test } from "vitest";
import { stridesOf } from "../../engine/shapes.ts";
import { stridedCopy } from "../../kernels/copy.ts";
import { normal } from "../support/draw.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const names = [0, 1, 2, 3, 4, 5];
const axes = (name: string, values: readonly number[]) =>
  Object.fromEntries(names.map((k) => [name + k, (values[k] ?? (name === "d" ? 1 : 0)) >>> 0]));

/**
 * The first axis backwards, the others in another order (but for the last of fours), into a larger array that is
 * left alone between. Lengths and steps in elements, or in fours.
 */
test.each(eachVariant(stridedCopy))("%s", async (_, v) => {
  const last = v.rank - 1;
  for (const length of [1, 3, 69]) {
    const dims = [3, 2, 1, 2, 3, 2].slice(0, last).concat(length);
    const size = dims.reduce((a, b) => a * b, 1);
    const turned = stridesOf(dims.toReversed()).reverse();
    const from = v.vec ? stridesOf(dims) : turned;
    const s = from.map((step, k) => (k === 0 && !(v.vec && last === 0) ? -step : step));
    const t = stridesOf(dims).map((step, k) => (k === last ? step : 2 * step));
    const xStart = s[0]! < 0 ? (dims[0]! - 1) * -s[0]! : 0;
    const yStart = 2;
    const unit = v.vec ? 4 : 1;
    const x = normal([size * unit], 1);
    const total = yStart + dims.reduce((end, d, k) => end + (d - 1) * t[k]!, 1);
    const expected = new Float64Array((total + 1) * unit).fill(Number.NaN);
    const strides = stridesOf(dims);
    for (let i = 0; i < size; i++) {
      let [from, to] = [xStart, yStart];
      dims.forEach((d, k) => {
        const at = Math.floor(i / strides[k]!) % d;
        from += at * s[k]!;
        to += at * t[k]!;
      });
      for (let lane = 0; lane < unit; lane++) expected[to * unit + lane] = x.data[from * unit + lane]!;
    }
    const params = { count: size, xStart, yStart, ...axes("d", dims), ...axes("s", s), ...axes("t", t) };
    const { y } = await launched(stridedCopy, v, { x }, { y: [expected.length] }, params as never);
    expectNear(y!, { shape: [expected.length], data: expected }, { magnitude: 0 }, `${dims}`);
  }
});
