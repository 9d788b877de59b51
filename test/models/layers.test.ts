import { describe, expect, test } from "vitest";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { RefineBlock, ResidualBlock, ResnetBlockBigGAN, ResnetBlockDDPM } from "../../models/blocks/index.ts";
import { Init } from "../../models/init.ts";
import {
  type ActivationName,
  AttnBlock,
  activation,
  activationNames,
  ConditionalInstanceNorm2dPlus,
  ConditionalNoneNorm2d,
  ConvMeanPool,
  Downsample,
  Fir,
  GaussianFourierProjection,
  GroupNorm,
  groupsFor,
  InstanceNorm2d,
  InstanceNorm2dPlus,
  type Norm,
  naiveDownsample,
  naiveUpsample,
  pixelShuffle,
  plainNorm,
  timestepEmbedding,
  Upsample,
  VarianceNorm2d,
} from "../../models/layers/index.ts";
import type { Module } from "../../models/module.ts";
import { engine } from "../support/engine.ts";

const init = new Init(engine, 3);
const liveBefore = engine.memory().live;
const noise = (shape: readonly number[], seed = 5): Tensor => randn(engine, shape, { seed, purpose: "user" });

/** The values of what `fn` makes, in a scope, its modules freed. */
async function values(fn: (keep: <M extends Module>(module: M) => M) => Tensor): Promise<number[]> {
  const modules: Module[] = [];
  const keep = <M extends Module>(module: M): M => {
    modules.push(module);
    return module;
  };
  const y = engine.noGrad(() => engine.scope(() => fn(keep)));
  const data = [...(await y.data())];
  y.dispose();
  for (const module of modules) module.dispose();
  return data;
}

function expectClose(got: readonly number[], expected: readonly number[], tolerance = 1e-5): void {
  expect(got.length).toBe(expected.length);
  for (const [i, v] of got.entries()) expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(tolerance);
}

describe("norms", () => {
  const labels = () => engine.tensor(Int32Array.of(2, 0));
  const makers: Record<string, () => Norm> = {
    GroupNorm: () => new GroupNorm(init, 6, { groups: 3 }),
    InstanceNorm2d: () => new InstanceNorm2d(),
    InstanceNorm2dPlus: () => new InstanceNorm2dPlus(init, 6),
    VarianceNorm2d: () => new VarianceNorm2d(init, 6),
    ConditionalInstanceNorm2dPlus: () => new ConditionalInstanceNorm2dPlus(init, 6, 3),
    ConditionalNoneNorm2d: () => new ConditionalNoneNorm2d(init, 6, 3),
  };

  test.each(Object.keys(makers))("%s: an activation in the kernel is the one after it", async (name) => {
    for (const act of activationNames) {
      const norm = makers[name]!();
      const x = () => noise([2, 6, 5, 4]);
      const inKernel = await values(() => norm.run(x(), { labels: labels(), act }));
      const after = await values(() => activation(norm.run(x(), { labels: labels() }), act));
      expectClose(inKernel, after);
      norm.dispose();
    }
  });

  test("conditional tables start at gamma, alpha ~ N(1, 0.02^2) and beta 0", async () => {
    const norm = new ConditionalInstanceNorm2dPlus(init, 40, 50);
    const { data, shape } = (await norm.state()).get("embed.weight")!;
    norm.dispose();
    expect(shape).toEqual([50, 120]);
    const column = (from: number, to: number) => [...data].filter((_, i) => i % 120 >= from && i % 120 < to);
    expect(column(80, 120).every((v) => v === 0)).toBe(true);
    const scales = column(0, 80); // 4000 of them: the mean is within 4 standard errors
    const mean = scales.reduce((a, b) => a + b) / scales.length;
    const deviation = Math.sqrt(scales.reduce((a, b) => a + (b - mean) ** 2, 0) / scales.length);
    expect(Math.abs(mean - 1)).toBeLessThan((4 * 0.02) / Math.sqrt(4000));
    expect(deviation).toBeCloseTo(0.02, 2);
  });

  test("what does not fit", () => {
    const conditional = new ConditionalInstanceNorm2dPlus(init, 6, 3);
    const x = noise([2, 6, 5, 4]);
    expect(() => conditional.run(x)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: ConditionalInstanceNorm2dPlus: got no labels, expected the noise level of each sample [n]]`,
    );
    expect(() => new GroupNorm(init, 6, { groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: GroupNorm: got 4 groups for 6 channels, expected a divisor of 6]`,
    );
    expect(() => plainNorm("InstanceNrm")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: plainNorm: got InstanceNrm, expected one of InstanceNorm++, InstanceNorm, VarianceNorm, NoneNorm; did you mean InstanceNorm?]`,
    );
    conditional.dispose();
    x.dispose();
  });
});

describe("resampling", () => {
  const x = () => noise([2, 3, 6, 4]);

  test("a box filter is the naive way", async () => {
    const fir = new Fir(engine, [1, 1]);
    expectClose(await values(() => fir.upsample(x())), await values(() => naiveUpsample(x())));
    expectClose(await values(() => fir.downsample(x())), await values(() => naiveDownsample(x())));
    fir.dispose();
  });

  test("a filter keeps a constant image constant inside", async () => {
    const fir = new Fir(engine, [1, 3, 3, 1]);
    const up = await values(() => fir.upsample(engine.full([1, 1, 5, 5], 2)));
    expect(up[5 * 10 + 5]).toBeCloseTo(2, 6);
    const down = await values(() => fir.downsample(engine.full([1, 1, 8, 8], 2)));
    expect(down[1 * 4 + 1]).toBeCloseTo(2, 6);
    fir.dispose();
  });

  test.each([undefined, [1, 3, 3, 1]])(
    "sizes double and halve, with and without a convolution, fir %j",
    (fir) => {
      for (const withConv of [false, true]) {
        const outChannels = withConv ? 5 : 3;
        const up = new Upsample(init, 3, { withConv, outChannels, fir });
        const down = new Downsample(init, 3, { withConv, outChannels, fir });
        const before = engine.memory().live;
        engine.scope(() => {
          expect(up.run(x()).shape).toEqual([2, outChannels, 12, 8]);
          expect(down.run(x()).shape).toEqual([2, outChannels, 3, 2]);
        });
        expect(engine.memory().live).toBe(before);
        up.dispose();
        down.dispose();
      }
    },
  );

  test("pixels of a square come from neighbouring channels", async () => {
    const channels = () => engine.tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 8, 1, 1]);
    expect(await values(() => pixelShuffle(channels(), 2))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const wide = () => engine.tensor([1, 10, 2, 20, 3, 30, 4, 40], [1, 4, 1, 2]);
    expect(await values(() => pixelShuffle(wide(), 2))).toEqual([1, 2, 10, 20, 3, 4, 30, 40]);
  });

  test("what does not fit", () => {
    const pool = new ConvMeanPool(init, 3, 4);
    const odd = noise([1, 3, 7, 8]);
    expect(() => pool.run(odd)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: ConvMeanPool: got [1,4,7,8] to halve, expected even height and width; use an even image size]`,
    );
    expect(() => new Fir(engine, [])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Fir: got taps [], expected at least one and a sum that is not 0; the usual are [1,3,3,1]]`,
    );
    expect(() => new Fir(engine, [1, 1], 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Fir: got factor 0, expected a whole number of at least 1]`,
    );
    pool.dispose();
    odd.dispose();
  });

  test("zeros before the image make an odd size even", async () => {
    const shape = await values((keep) => {
      const y = keep(new ConvMeanPool(init, 3, 4, { adjustPadding: true })).run(noise([1, 3, 7, 7]));
      return engine.tensor([...y.shape]);
    });
    expect(shape).toEqual([1, 4, 4, 4]);
  });
});

describe("time", () => {
  test("Fourier features hold for hundreds of turns", async () => {
    const projection = new GaussianFourierProjection(new Init(engine, 1), 16, { scale: 16 });
    const W = (await projection.state()).get("W")!.data;
    const t = Math.fround(5.3);
    const got = await values(() => projection.run(engine.tensor([t])));
    projection.dispose();
    expect(Math.max(...[...W].map((w) => Math.abs(w * t)))).toBeGreaterThan(50);
    const angles = [...W].map((w) => 2 * Math.PI * Math.fround(w * t));
    expectClose(got, [...angles.map(Math.sin), ...angles.map(Math.cos)], 5e-6);
  });

  test("sinusoids: sin first, then cos, zeros at the end of an odd length", async () => {
    const got = await values(() => timestepEmbedding(engine.tensor([0, 3]), 5));
    expectClose(got, [0, 0, 1, 1, 0, Math.sin(3), Math.sin(3e-4), Math.cos(3), Math.cos(3e-4), 0], 1e-6);
    const t = engine.tensor([0]);
    expect(() => timestepEmbedding(t, 3)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: timestepEmbedding: got dim 3, expected a whole number from 4]`,
    );
    t.dispose();
  });
});

describe("blocks of the 2021 networks start as their skip", () => {
  const act: ActivationName = "swish";
  const x = () => noise([2, 8, 4, 4]);
  const time = () => noise([2, 6], 6);

  test("attention", async () => {
    expectClose(
      await values((keep) => keep(new AttnBlock(init, 8, { groups: groupsFor(8) })).run(x())),
      await values(x),
      1e-4,
    );
  });

  test("ResnetBlockDDPM", async () => {
    const options = { act, embedding: 6, groups: groupsFor };
    expectClose(
      await values((keep) => keep(new ResnetBlockDDPM(init, 8, 8, options)).run(x(), time())),
      await values(x),
      1e-3,
    );
  });

  test("ResnetBlockBigGAN, divided by sqrt 2", async () => {
    const got = await values((keep) =>
      keep(new ResnetBlockBigGAN(init, 8, 8, { act, embedding: 6 })).run(x(), time()),
    );
    expectClose(
      got,
      (await values(x)).map((v) => v / Math.SQRT2),
      1e-3,
    );
  });
});

describe("blocks of the earlier networks", () => {
  test("a residual block halves the image unless it is dilated", () => {
    const norm = plainNorm("InstanceNorm++");
    for (const [dilation, side] of [
      [undefined, 4],
      [2, 8],
    ] as const) {
      const block = new ResidualBlock(init, 3, 5, { norm, act: "elu", resample: "down", dilation });
      engine.scope(() => expect(block.run(noise([1, 3, 8, 8])).shape).toEqual([1, 5, side, side]));
      block.dispose();
    }
  });

  test("a cascade counts its inputs", () => {
    const options = { act: "elu", pool: "max" } as const;
    const block = new RefineBlock(init, [4, 4], 4, options);
    const x = noise([1, 4, 8, 8]);
    expect(() => block.run([x], [8, 8])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: RefineBlock: got 1 inputs [1,4,8,8], expected 2]`,
    );
    expect(
      () => new RefineBlock(init, [4, 4], 4, { ...options, start: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: RefineBlock: got start with 2 inputs, expected one; leave start out]`,
    );
    block.dispose();
    x.dispose();
  });
});

test("nothing of all that is left", async () => {
  await engine.sync();
  expect(engine.memory().live).toBe(liveBefore);
});
