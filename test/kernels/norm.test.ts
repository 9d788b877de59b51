import { describe, test } from "vitest";
import type { Array64 } from "../../engine/oracle/array.ts";
import { unaryGrad } from "../../engine/oracle/unary.ts";
import { type NormActivation, normActivations, normGradSums, normMoments } from "../../kernels/norm.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const sizes = [
  [1, 1],
  [3, 5],
  [65, 9],
  [4, 63],
  [2, 64],
  [3, 65],
  [2, 1000],
] as const;

function eachMap(
  x: Array64,
  width: number,
  f: (values: Float64Array, map: number) => [number, number],
): Array64 {
  const maps = x.shape[0]!;
  const data = Array.from({ length: maps }, (_, m) =>
    f(x.data.subarray(m * width, (m + 1) * width), m),
  ).flat();
  return { shape: [maps, 2], data: Float64Array.from(data) };
}

const slope = (act: NormActivation, z: number, a: number): number =>
  act === "none" ? 1 : unaryGrad[act](z, { slope: a });

describe.each(["thread", "group"] as const)("by %s", (by) => {
  test("moments: mean and centred squares of each map", async () => {
    for (const [maps, hw] of sizes) {
      const x = normal([maps, hw], 1);
      const expected = eachMap(x, hw, (v) => {
        const mean = v.reduce((a, b) => a + b, 0) / hw;
        return [mean, v.reduce((a, b) => a + (b - mean) ** 2, 0)];
      });
      const { moments } = await launched(normMoments, { by }, { x }, { moments: [maps, 2] }, { maps, hw });
      expectNear(moments!, expected, { terms: hw }, `${maps} x ${hw}`);
    }
  });

  test.each(normActivations)("sums of the gradient through %s", async (act) => {
    for (const [maps, hw] of sizes) {
      const channels = maps;
      const [x, dy, statistics] = [normal([maps, hw], 1), normal([maps, hw], 2), normal([maps, 4], 3)];
      const [gamma, beta, alpha] = [normal([channels], 4), normal([channels], 5), normal([channels], 6)];
      const expected = eachMap(x, hw, (values, m) => {
        const [center, rstd, u] = statistics.data.subarray(4 * m);
        const [g, b, a] = [gamma.data[m]!, beta.data[m]!, alpha.data[m]!];
        let [s1, s2] = [0, 0];
        values.forEach((v, i) => {
          const h = (v - center!) * rstd!;
          const d = dy.data[m * hw + i]! * slope(act, g * (h + a * u!) + b, 0.2);
          s1 += d;
          s2 += d * h;
        });
        return [s1, s2];
      });
      const params = { maps, hw, channels, perSample: 0, useGamma: 1, useBeta: 1, useAlpha: 1, slope: 0.2 };
      const { sums } = await launched(
        normGradSums,
        { act, by },
        { x, dy, statistics, gamma, beta, alpha },
        { sums: [maps, 2] },
        params,
      );
      expectNear(sums!, expected, { terms: hw, magnitude: 10 * hw }, `${maps} x ${hw}`);
    }
  });
});
