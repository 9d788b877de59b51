/** Small images' norms, a subgroup each: against the oracle, whatever number of maps its lanes have. */
import { describe, expect, test } from "vitest";
import { instanceNorm, instanceNormPlus } from "../../engine/ops/index.ts";
import { type Array64, map, withResidual } from "../../engine/oracle/array.ts";
import { type NormAttrs, norm } from "../../engine/oracle/norm.ts";
import { broadcasts, LANES } from "../../kernels/broadcast.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { type NormImageVariant, normImage, normImageGrad, normsImages } from "../../kernels/norm-image.ts";
import { normGrad } from "../oracle/norm-gradients.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { eachVariant, launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const EPS = 1e-3;
const SLOPE = 0.2;

/** Fewer maps than lanes, as many, and some more; one alone, which ++ leaves as it is. */
const sizesFor = ({ vec }: NormImageVariant): [n: number, c: number, hw: number][] =>
  vec
    ? [
        [2, 5, 12],
        [1, 8, 4],
        [3, 19, 8],
      ]
    : [
        [3, 3, 5],
        [1, 8, 9],
        [2, 17, 7],
        [2, 1, 6],
      ];

/**
 * Parameters side by side in a row of each image, or one of two more that it has a label of: a place left alone, then beta,
 * alpha and gamma.
 */
function problem(c: number, n: number, hw: number, { act, labelled }: NormImageVariant, plus: boolean) {
  const width = 3 * c + 1;
  const table = labelled ? n + 2 : n;
  const rows = normal([table, width], 4);
  const labels = Int32Array.from({ length: n }, (_, i) => (labelled ? (2 * i + 1) % table : i));
  const at = { betaAt: 1, alphaAt: 1 + c, gammaAt: 1 + 2 * c };
  const part = (start: number): Array64 => ({
    shape: [n, c],
    data: Float64Array.from(
      { length: n * c },
      (_, i) => rows.data[labels[Math.floor(i / c)]! * width + start + (i % c)]!,
    ),
  });
  const attrs: NormAttrs = { groups: c, eps: EPS, activation: act, slope: SLOPE, plus };
  return {
    width,
    arrays: { gamma: rows, beta: rows, alpha: rows, table: rows, labels },
    parts: [part(at.gammaAt), part(at.betaAt), plus ? part(at.alphaAt) : null] as const,
    attrs,
    x: map(normal([n, c, hw, 1], 1), (v, i) => Math.fround(v + (Math.floor(i / hw) % 3))),
    dy: normal([n, c, hw, 1], 2),
    params: {
      ...{ maps: n * c, hw, channels: c, pitch: width, slope: SLOPE, plus: plus ? 1 : 0, ...at },
      ...{ useGamma: 1, useBeta: 1, useAlpha: plus ? 1 : 0, rows: table },
    },
  };
}

/** (mean, rstd, u, 1 / sqrt(v + eps)) of each map. */
function statisticsOf({ shape, data }: Array64, plus: boolean): Array64 {
  const [n, c, hw] = shape as [number, number, number];
  const meanOf = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
  const squaresOf = (values: Float64Array, m: number) => values.reduce((a, b) => a + (b - m) ** 2, 0);
  const maps = Array.from({ length: n * c }, (_, m) => data.subarray(m * hw, (m + 1) * hw));
  const means = Float64Array.from(maps, meanOf);
  const rows = maps.map((values, m) => {
    const mean = means[m]!;
    const rstd = 1 / Math.sqrt(squaresOf(values, mean) / hw + EPS);
    if (!plus || c === 1) return [mean, rstd, 0, 0];
    const image = means.subarray(m - (m % c), m - (m % c) + c);
    const ustd = 1 / Math.sqrt(squaresOf(image, meanOf(image)) / (c - 1) + EPS);
    return [mean, rstd, (mean - meanOf(image)) * ustd, ustd];
  });
  return { shape: [n * c, 4], data: Float64Array.from(rows.flat()) };
}

describe.runIf(broadcasts(engine.hardware)).each([false, true])("++: %s", (plus) => {
  test.each(eachVariant(normImage))("%s", async (_, v) => {
    for (const [n, c, hw] of sizesFor(v)) {
      const { x, arrays, parts, attrs, params } = problem(c, n, hw, v, plus);
      const shapes = { statistics: [n * c, 4], y: x.shape };
      const got = await launched(normImage, v, { x, ...arrays }, shapes, { ...params, eps: EPS });
      const terms = Math.max(hw, c);
      expectNear(
        got["statistics"]!,
        statisticsOf(x, plus),
        { terms, magnitude: 10 },
        `statistics ${n}x${c}x${hw}`,
      );
      expectNear(got["y"]!, norm(x, attrs, ...parts), { terms, magnitude: 20 }, `${n}x${c}x${hw}`);
    }
  });

  test.each(eachVariant(normImageGrad))("%s", async (_, v) => {
    for (const [n, c, hw] of sizesFor(v)) {
      const { x, dy, width, arrays, parts, attrs, params } = problem(c, n, hw, v, plus);
      const grads = normGrad(x, dy, attrs, ...parts);
      const before = normal(x.shape, 3);
      const got = await launched(
        normImageGrad,
        v,
        { x, dy, statistics: statisticsOf(x, plus), ...arrays, ...(v.before && { before }) },
        { dx: x.shape, grads: [n, width] },
        { ...params, width, dBetaAt: 1, dAlphaAt: 1 + c, dGammaAt: 1 + 2 * c },
      );
      const told = `${n}x${c}x${hw}`;
      expectNear(
        got["dx"]!,
        withResidual(grads.dx, v.before ? before : undefined),
        { terms: Math.max(hw, c), magnitude: 50 },
        told,
      );
      const rows = Float64Array.from({ length: n * width }, (_, i) => {
        const [image, at] = [Math.floor(i / width), i % width];
        const of = [grads.dbeta, grads.dalpha, grads.dgamma][Math.floor((at - 1) / c)];
        return at > 0 && of ? of.data[image * c + ((at - 1) % c)]! : Number.NaN; // left alone
      });
      expectNear(got["grads"]!, { shape: [n, width], data: rows }, { terms: hw, magnitude: 50 }, told);
    }
  });
});

test.runIf(broadcasts(engine.hardware))("a label outside the table gives its image NaN", async () => {
  const v = { act: "elu", vec: false, labelled: true } as const;
  const { x, dy, width, arrays, params } = problem(3, 4, 5, v, true);
  const labels = Int32Array.of(1, -1, 6, 0);
  const inputs = { x, ...arrays, labels };
  const shapes = { statistics: [12, 4], y: x.shape };
  const { y } = await launched(normImage, v, inputs, shapes, { ...params, eps: EPS });
  const places = { width, dBetaAt: 1, dAlphaAt: 4, dGammaAt: 7 };
  const { dx } = await launched(
    normImageGrad,
    { ...v, before: false },
    { ...inputs, dy, statistics: statisticsOf(x, true) },
    { dx: x.shape, grads: [4, width] },
    { ...params, ...places },
  );
  for (const values of [y!, dx!])
    expect(
      [0, 1, 2, 3].map((image) => [...values.slice(15 * image, 15 * image + 15)].every(Number.isNaN)),
    ).toEqual([false, true, true, false]);
});

describe("who takes them", () => {
  const cpu: Hardware = { ...engine.hardware, kind: "cpu", subgroups: true, subgroupSize: LANES };

  test("subgroups of eight on a CPU driver, for images that a core is soon through with", () => {
    expect(normsImages(cpu, 8, 784)).toBe(true);
    expect(normsImages(cpu, 256, 64)).toBe(true);
    expect(normsImages(cpu, 257, 1)).toBe(false);
    expect(normsImages(cpu, 32, 1024)).toBe(true);
    expect(normsImages(cpu, 32, 1025)).toBe(false);
    expect(normsImages({ ...cpu, kind: "gpu" }, 8, 784)).toBe(false);
    expect(normsImages({ ...cpu, subgroupSize: 4 }, 8, 784)).toBe(false);
    expect(normsImages({ ...cpu, subgroups: false }, 8, 784)).toBe(false);
  });

  const launches = (hw: Hardware, of: typeof instanceNorm) =>
    choosingFor(hw, async () => {
      const names: string[] = [];
      using x = upload(normal([2, 4, 6, 6], 1));
      engine.dry(
        () => void of(x),
        ({ program: { kernel } }) => void (kernel.name.startsWith("norm") && names.push(kernel.name)), // not what poisons memory
      );
      return names;
    });

  test("one launch instead of three", async () => {
    for (const of of [instanceNorm, instanceNormPlus]) {
      expect(await launches(cpu, of)).toEqual(["norm_image"]);
      expect(await launches({ ...cpu, subgroups: false }, of)).toEqual([
        "norm_moments",
        "norm_statistics",
        "norm_apply",
      ]);
    }
  });
});
