import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../engine/tensor.ts";
import { verify } from "../../engine/verify.ts";
import {
  buildClassifier,
  ClassifierSmall,
  type ClassifierSmallOptions,
  countParameters,
  Init,
  logProbGrad,
  type Noising,
  throughNoise,
} from "../../models/index.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { classify64, type Values } from "./classifier-small-64.ts";
import { expectNear, inScope, redrawn } from "./redrawn.ts";

const [N, C, SIDE, CLASSES, FEATURES] = [3, 2, 8, 4, 5];
const widths = [4, 8, 12] as const;
const tiny = { channels: C, imageSize: SIDE, classes: CLASSES, widths, features: FEATURES };
const sigmas = [0.05, 0.8, 20];
const labels = [3, 0, 2];
const images = normal([N, C, SIDE, SIDE], 11).data;
const PIXELS = C * SIDE ** 2;

const net = new ClassifierSmall(new Init(engine, 3), tiny);
let values: Values = new Map();
afterAll(() => net.dispose());

beforeAll(async () => {
  values = await redrawn(net);
});

const input = (x: ArrayLike<number> = images): [Tensor, Tensor] => [
  engine.tensor(Float32Array.from(x), [N, C, SIDE, SIDE]),
  engine.tensor(sigmas, [N]),
];

const reference = (from: Float64Array, of: readonly number[] = sigmas) =>
  of.map((sigma, n) =>
    classify64(values, { c: C, side: SIDE, data: from.slice(n * PIXELS, (n + 1) * PIXELS) }, sigma, widths),
  );

test("parameters bear flax's names, and are as many as the layers say", () => {
  const tops = [...new Set([...net.named()].map(([name]) => name.split(".")[0]))];
  expect(tops).toEqual([
    "GaussianFourierProjection_0",
    "Dense_0",
    "Conv_0",
    "ResnetBlockDDPM_0",
    "ResnetBlockDDPM_1",
    "GroupNorm_0",
    "Dense_1",
    "Dense_2",
  ]);
  expect([...net.parameters().keys()]).not.toContain("GaussianFourierProjection_0.W");
  const [c0, c1, c2] = widths;
  const block = (i: number, o: number) =>
    2 * i + (9 * i + 1) * o + 65 * o + 2 * o + (9 * o + 1) * o + (i + 1) * o;
  const convolutions = (9 * C + 1) * c0 + block(c0, c1) + block(c1, c2) + 2 * c2;
  const layers = 33 * 64 + (c2 * (SIDE / 4) ** 2 + 1) * FEATURES + (FEATURES + 1) * CLASSES;
  expect(countParameters(net)).toBe(convolutions + layers);
});

describe("against float64 loops", () => {
  test("logits and features", async () => {
    const expected = reference(images);
    const logits = await inScope(() => engine.noGrad(() => net.run(...input())));
    const features = await inScope(() => engine.noGrad(() => net.features(...input())));
    expectNear(
      logits,
      expected.flatMap((e) => e.logits),
      2e-5,
    );
    expectNear(
      features,
      expected.flatMap((e) => e.features),
      2e-5,
    );
  });

  test("the gradient of log p(y | x), by differences", async () => {
    const classes = () => engine.tensor(Int32Array.from(labels));
    const gradient = await inScope(() => logProbGrad((x, s) => net.run(x, s), ...input(), classes()));
    const logProb = (from: Float64Array) =>
      reference(from).reduce((total, { logits }, n) => {
        const most = Math.max(...logits);
        const partition = most + Math.log(logits.reduce((sum, v) => sum + Math.exp(v - most), 0));
        return total + logits[labels[n]!]! - partition;
      }, 0);
    const length = Math.sqrt(gradient.reduce((total, g) => total + g * g, 0));
    for (const seed of [21, 22, 23]) {
      const v = normal([N, C, SIDE, SIDE], seed).data;
      const along = (e: number) => logProb(images.map((x, i) => x + e * v[i]!));
      const numeric = (along(1e-6) - along(-1e-6)) / 2e-6;
      const analytic = gradient.reduce((total, g, i) => total + g * v[i]!, 0);
      expect(Math.abs(analytic - numeric)).toBeLessThan(1e-4 * length);
    }
  });

  test("every op agrees with its oracle", async () => {
    const { ops, departed } = await verify(engine, () => net.run(...input()));
    expect(departed).toBeUndefined();
    expect(ops).toBeGreaterThan(20);
  });
});

describe("through another process's noise", () => {
  const [gains, offsets, stds] = [
    [2, 0.01, 0.5],
    [-1, -0.005, 0],
    [0.1, 0.9, 3],
  ] as const;
  const noising = (): Noising => ({
    gain: engine.tensor(gains, [N]),
    offset: engine.tensor(offsets, [N]),
    std: engine.tensor(stds, [N]),
  });
  const seen = throughNoise((x, sigma) => net.run(x, sigma), noising);
  const moved = images.map((v, i) => Math.fround(gains[Math.floor(i / PIXELS)]! * v));
  const back = moved.map((v, i) => {
    const n = Math.floor(i / PIXELS);
    return (v - offsets[n]!) / gains[n]!;
  });
  const ratios = gains.map((gain, n) => stds[n]! / gain);

  test("logits are those of (x - offset) / gain at sigma = std / gain", async () => {
    const logits = await inScope(() => engine.noGrad(() => seen(...input(moved))));
    expectNear(
      logits,
      reference(back, ratios).flatMap((e) => e.logits),
      2e-5,
    );
  });

  test("the gradient is that of x_0 over gain", async () => {
    const classes = () => engine.tensor(Int32Array.from(labels));
    const gradient = await inScope(() => logProbGrad(seen, ...input(moved), classes()));
    const plain = await inScope(() => {
      const [x, sigma] = [
        engine.tensor(Float32Array.from(back), [N, C, SIDE, SIDE]),
        engine.tensor(ratios, [N]),
      ];
      return logProbGrad((x, s) => net.run(x, s), x, sigma, classes());
    });
    for (let n = 0; n < N; n++) {
      const own = (values: readonly number[]) => values.slice(n * PIXELS, (n + 1) * PIXELS);
      expectNear(
        own(gradient),
        own(plain).map((g) => g / gains[n]!),
        1e-4,
      );
    }
  });
});

describe("what does not fit is refused before any work", () => {
  const build = (options: Partial<ClassifierSmallOptions>) => () =>
    new ClassifierSmall(new Init(engine), { ...tiny, ...options });

  test("options", () => {
    expect(build({ imageSize: 30 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classifier-small: got images of 30 pixels, expected a multiple of 4; set data.size]`,
    );
    expect(build({ classes: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classifier-small: got classes 0, expected a whole number of at least 1]`,
    );
    expect(build({ widths: [8, 0.5, 8] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classifier-small: got widths[1] 0.5, expected a whole number of at least 1]`,
    );
    expect(() =>
      buildClassifier(engine, {
        ...{
          name: "classifier-smal" as "classifier-small",
          imageChannels: 1,
          imageSize: 8,
          classes: 2,
          seed: 0,
        },
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classifier: got classifier-smal, expected one of classifier-small, wide-resnet; did you mean classifier-small?]`,
    );
  });

  test("images of another size", () => {
    engine.scope(() => {
      expect(() =>
        net.run(engine.zeros([1, C, 12, 12]), engine.ones([1])),
      ).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: ClassifierSmall: got x [1,2,12,12], expected [n,2,8,8]]`,
      );
    });
  });
});
