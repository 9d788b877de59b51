import { describe, expect, test } from "vitest";
import { clipGradients } from "../../engine/optim/clip.ts";
import { squareSums, squareSumsOf } from "../../kernels/square-sums.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const squares = (values: Float64Array) => values.reduce((sum, v) => sum + v * v, 0);

describe.each(squareSums.variants)("by $by", (variant) => {
  const size = { group: 8192, thread: 256 }[variant.by];
  test.each([1, 3, 5, 255, 257, 1023, 8191, 8192, 8193, 20_002])(
    "of %d numbers, after two other sums",
    async (count) => {
      const x = normal([count], 1);
      const parts = squareSumsOf(count, variant);
      const { sums } = await launched(squareSums, variant, { x }, { sums: [2 + parts] }, { count, at: 2 });
      const expected = Array.from({ length: parts }, (_, k) =>
        squares(x.data.subarray(k * size, (k + 1) * size)),
      );
      const got = Float32Array.from(sums as Float32Array).subarray(2);
      expectNear(got, { shape: [parts], data: Float64Array.from(expected) }, { terms: size });
    },
  );
});

test.each(["cpu", "gpu"] as const)(
  "gradients are clipped by them on a %s: the factor and the norm, and -1 for what is not finite",
  async (kind) => {
    const given = engine.hardware;
    Object.assign(engine, { hardware: { ...given, kind } });
    try {
      const values = [normal([7, 9], 1), normal([5], 2), normal([91, 97], 3)];
      const grads = values.map((x) => engine.tensor(Float32Array.from(x.data), x.shape));
      const norm = Math.sqrt(values.reduce((sum, x) => sum + squares(x.data), 0));
      const [factor, own] = (await clipGradients(grads, 2).data()) as Float32Array;
      expect(factor! / (2 / (norm + 1e-6))).toBeCloseTo(1, 5);
      expect(own! / norm).toBeCloseTo(1, 5);
      const [refused] = (await clipGradients(
        [...grads, engine.tensor([Number.NaN])],
        2,
      ).data()) as Float32Array;
      expect(refused).toBe(-1);
    } finally {
      Object.assign(engine, { hardware: given });
    }
  },
);
