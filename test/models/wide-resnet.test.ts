import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../engine/tensor.ts";
import { verify } from "../../engine/verify.ts";
import { Init } from "../../models/init.ts";
import { countParameters } from "../../models/module.ts";
import { cifar10Statistics, WideResNet, type WideResNetOptions } from "../../models/wide-resnet.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear, inScope, redrawn } from "./redrawn.ts";
import { logits64, type Values } from "./wide-resnet-64.ts";

const [N, C, SIDE, CLASSES] = [3, 2, 8, 5];
const tiny = { channels: C, blocksPerGroup: 2, channelMultiplier: 2, numOutputs: CLASSES };
const sigmas = [0.05, 0.8, 7];
const labels = [4, 0, 2];
const images = normal([N, C, SIDE, SIDE], 11).data;
const imageOf = (n: number, from: Float64Array = images) => ({
  c: C,
  h: SIDE,
  w: SIDE,
  data: from.slice(n * C * SIDE * SIDE, (n + 1) * C * SIDE * SIDE),
});
const input = (): [Tensor, Tensor] => [
  engine.tensor([...images], [N, C, SIDE, SIDE]),
  engine.tensor(sigmas, [N]),
];
const classes = (values: number[]): Tensor => engine.tensor(Int32Array.from(values));

const net = new WideResNet(new Init(engine, 3), tiny);
const reference = { values: new Map() as Values, ...tiny };
afterAll(() => net.dispose());

beforeAll(async () => {
  reference.values = await redrawn(net);
});

describe("parameters", () => {
  test("bear flax's names, in the order in which the official network makes them", () => {
    const names = [...net.named()].map(([name]) => name);
    expect(names.slice(0, 14)).toEqual([
      "GaussianFourierProjection_0.W",
      "Dense_0.weight",
      "Dense_0.bias",
      "Dense_1.weight",
      "Dense_1.bias",
      "init_conv.weight",
      "WideResnetGroup_0.0.init_bn.weight",
      "WideResnetGroup_0.0.init_bn.bias",
      "WideResnetGroup_0.0.conv1.weight",
      "WideResnetGroup_0.0.Dense_0.weight",
      "WideResnetGroup_0.0.Dense_0.bias",
      "WideResnetGroup_0.0.bn_2.weight",
      "WideResnetGroup_0.0.bn_2.bias",
      "WideResnetGroup_0.0.conv2.weight",
    ]);
    expect(names.slice(-4)).toEqual([
      "pre_pool_bn.weight",
      "pre_pool_bn.bias",
      "Dense_2.weight",
      "Dense_2.bias",
    ]);
    expect(names.length).toBe(6 + 3 * 2 * 8 + 4);
    expect([...net.parameters().keys()]).not.toContain("GaussianFourierProjection_0.W");
  });

  /** Layer by layer: kernels of nine, norms of two, dense layers of in + 1. */
  function count({ channels, blocksPerGroup: b, channelMultiplier: m, numOutputs }: Required<typeof tiny>) {
    const time = 257 * 512 + 513 * 512;
    const group = (before: number, width: number) => {
      const seen = before + (2 * b - 1) * width; // channels that come into a norm and its convolution
      return seen * (9 * width + 2) + b * 513 * width;
    };
    const groups = group(16, 16 * m) + group(16 * m, 32 * m) + group(32 * m, 64 * m);
    return time + 9 * channels * 16 + groups + 2 * 64 * m + (64 * m + 1) * numOutputs;
  }

  test("are as many as the layers say; WRN-28-10 for CIFAR-10 has 38,913,114", () => {
    expect(countParameters(net)).toBe(count(tiny));
    const full = new WideResNet(new Init(engine), { channels: 3 });
    expect(countParameters(full)).toBe(38_913_114);
    expect(count({ channels: 3, blocksPerGroup: 4, channelMultiplier: 10, numOutputs: 10 })).toBe(38_913_114);
    full.dispose();
  });

  test("start as the official ones: dense layers with 1 / in, convolutions with 2 / fan out, the last uniform", async () => {
    const fresh = new WideResNet(new Init(engine, 5), tiny);
    const state = await fresh.state();
    const spread = (name: string) => {
      const { data } = state.get(name)!;
      return Math.sqrt((data as Float32Array).reduce((total, v) => total + v * v, 0) / data.length);
    };
    expect(spread("Dense_1.weight") * Math.sqrt(512)).toBeCloseTo(1, 1);
    expect(spread("WideResnetGroup_2.1.conv1.weight") * Math.sqrt((9 * 128) / 2)).toBeCloseTo(1, 1);
    expect(spread("GaussianFourierProjection_0.W") / 16).toBeCloseTo(1, 0);
    const last = [...state.get("Dense_2.weight")!.data];
    expect(Math.max(...last.map(Math.abs))).toBeLessThan(1 / Math.sqrt(CLASSES));
    expect(Math.max(...last)).toBeGreaterThan(0.9 / Math.sqrt(CLASSES));
    expect(new Set(state.get("Dense_0.bias")!.data)).toEqual(new Set([0]));
    fresh.dispose();
  });
});

describe("logits", () => {
  test("are those of the plain loops in float64", async () => {
    const got = await inScope(() => engine.noGrad(() => net.run(...input())));
    const expected = sigmas.flatMap((sigma, n) => logits64(reference, imageOf(n), sigma));
    expect(expected.length).toBe(N * CLASSES);
    expectNear(got, expected, 2e-5);
  });

  test("do not depend on an image's brightness and contrast", async () => {
    const logits = (f: (v: number) => number) =>
      inScope(() =>
        engine.noGrad(() =>
          net.run(engine.tensor([...images].map(f), [N, C, SIDE, SIDE]), engine.tensor(sigmas, [N])),
        ),
      );
    const [plain, changed] = [await logits((v) => v), await logits((v) => 5 * v - 1)];
    for (const [i, v] of changed.entries()) expect(v).toBeCloseTo(plain[i]!, 4);
  });

  test("of a blank image are finite, and so is their gradient", async () => {
    const blank = () => engine.full([N, C, SIDE, SIDE], 0.5);
    const sigma = () => engine.tensor(sigmas, [N]);
    const got = await inScope(() => net.run(blank(), sigma()));
    const gradient = await inScope(() => net.logProbGrad(blank(), sigma(), classes(labels)));
    expect([...got, ...gradient].every(Number.isFinite)).toBe(true);
  });

  test("with statistics of the channels are those of images brought to them", async () => {
    const statistics = { mean: [0.5, -1], std: [0.25, 3] };
    const told = new WideResNet(new Init(engine), { ...tiny, statistics });
    told.load(await net.state());
    const got = await inScope(() => engine.noGrad(() => told.run(...input())));
    const brought = images.map((v, i) => {
      const channel = Math.floor(i / SIDE ** 2) % C;
      return (v - statistics.mean[channel]!) / statistics.std[channel]!;
    });
    const expected = sigmas.flatMap((sigma, n) => logits64(reference, imageOf(n, brought), sigma));
    expectNear(got, expected, 2e-5);
    told.dispose();
  });

  test("come from ops that each agree with their oracle", async () => {
    const { ops, departed } = await verify(engine, () => net.run(...input()));
    expect(departed).toBeUndefined();
    expect(ops).toBeGreaterThan(70);
  });
});

describe("logProbGrad", () => {
  const logProb = (from: Float64Array) =>
    sigmas.reduce((total, sigma, n) => {
      const logits = logits64(reference, imageOf(n, from), sigma);
      const most = Math.max(...logits);
      const partition = most + Math.log(logits.reduce((sum, v) => sum + Math.exp(v - most), 0));
      return total + logits[labels[n]!]! - partition;
    }, 0);

  test("is the derivative of log p(y | x) by differences of the float64 loops", async () => {
    const gradient = await inScope(() => net.logProbGrad(...input(), classes(labels)));
    const length = Math.sqrt(gradient.reduce((total, g) => total + g * g, 0));
    for (const seed of [21, 22, 23]) {
      const v = normal([N, C, SIDE, SIDE], seed).data;
      const along = (e: number) => logProb(images.map((x, i) => x + e * v[i]!));
      const numeric = (along(1e-6) - along(-1e-6)) / 2e-6;
      const analytic = gradient.reduce((total, g, i) => total + g * v[i]!, 0);
      expect(Math.abs(analytic - numeric)).toBeLessThan(1e-4 * length);
    }
  });

  test("works inside noGrad and leaves nothing behind", async () => {
    const before = engine.memory().live;
    const plain = await inScope(() => net.logProbGrad(...input(), classes(labels)));
    const inside = await inScope(() => engine.noGrad(() => net.logProbGrad(...input(), classes(labels))));
    expect(inside).toEqual(plain);
    expect(engine.memory().live).toBe(before);
  });
});

describe("what does not fit is refused before any work", () => {
  const build = (options: Partial<WideResNetOptions>) => () =>
    new WideResNet(new Init(engine), { ...tiny, ...options });

  test("options", () => {
    expect(build({ channels: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: WideResNet: got channels 0, expected a whole number of at least 1]`,
    );
    expect(build({ channelMultiplier: 9 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: WideResNet: got channelMultiplier 9, expected 1 to 8 or an even number: 144 channels make no 32 groups]`,
    );
    expect(build({ fourierScale: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: WideResNet: got fourierScale 0, expected a number above 0]`,
    );
    expect(build({ statistics: cifar10Statistics })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: WideResNet: got statistics of mean [0.49139968,0.48215841,0.44653091] and std [0.24703223,0.24348513,0.26158784], expected 2 numbers each, std above 0]`,
    );
  });

  test("inputs", () => {
    engine.scope(() => {
      const [x, sigma] = input();
      expect(() => net.run(engine.zeros([N, 3, SIDE, SIDE]), sigma)).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: WideResNet: got x [3,3,8,8], expected [n,2,h,w], h and w multiples of 4]`,
      );
      expect(() => net.run(engine.zeros([N, C, 10, 8]), sigma)).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: WideResNet: got x [3,2,10,8], expected [n,2,h,w], h and w multiples of 4]`,
      );
      expect(() => net.run(x, classes(labels))).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: WideResNet: got sigma i32 [3] for x [3,2,8,8], expected f32 [3]]`,
      );
      expect(() => net.logProbGrad(x, sigma, sigma)).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: logProbGrad: got labels f32 [3] for x [3,2,8,8], expected i32 [3]]`,
      );
    });
  });
});
