import { afterAll, describe, expect, expectTypeOf, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { mean, square } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { setCheckpointing } from "../../models/blocks/index.ts";
import { Init } from "../../models/init.ts";
import { countParameters } from "../../models/module.ts";
import { NcsnPP, type NcsnPPOptions } from "../../models/ncsnpp.ts";
import { asPredictor, type Predictor } from "../../models/prediction.ts";
import { readCases } from "../reference/case.ts";
import { scoreSdeNetworks } from "../reference/score-sde.ts";
import { fromHost } from "../support/check-op.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const tiny = {
  channels: 3,
  imageSize: 8,
  nf: 4,
  chMult: [1, 2],
  numResBlocks: 1,
  attnResolutions: [4],
  sigmas: [50, 1, 0.01],
  predicts: "score",
} as const satisfies NcsnPPOptions;
const build = (options: Partial<NcsnPPOptions> = {}) =>
  new NcsnPP(new Init(engine, 1), { ...tiny, ...options });

const net = new NcsnPP(new Init(engine, 1), { ...tiny, initScale: 1, dropout: 0.4 });
const x = engine.untrack(randn(engine, [3, 3, 8, 8], { seed: 1, purpose: "user" }));
const sigma = engine.tensor([0.02, 1, 40]);
afterAll(() => {
  net.dispose();
  for (const t of [x, sigma]) t.dispose();
});

const evaluate = async (y: () => Tensor): Promise<number[]> => {
  const t = engine.noGrad(() => engine.scope(y));
  const values = [...(await t.data())];
  t.dispose();
  return values;
};

describe("official names", () => {
  test("the sigmas, then the list of modules in the published order", () => {
    const names = [...net.named()].map(([name]) => name);
    expect(names.slice(0, 8)).toEqual([
      "sigmas",
      "all_modules.0.W",
      "all_modules.1.weight",
      "all_modules.1.bias",
      "all_modules.2.weight",
      "all_modules.2.bias",
      "all_modules.3.weight",
      "all_modules.3.bias",
    ]);
    const numbers = names.slice(1).map((name) => Number(name.split(".")[1]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  });

  test.each(
    readCases("../shared/reference").filter((c) => c.kind === "models" && /^(ncsnpp|ddpm)_/.test(c.name)),
  )("of $name, with their shapes, and as many parameters", (c) => {
    const { module } = scoreSdeNetworks[c.attrs.string("network") as "ncsnpp" | "ddpm"](new Init(engine), c);
    const shapes = (named: Iterable<[string, { shape: readonly number[] }]>) =>
      [...named].map(([name, { shape }]) => `${name} [${shape}]`).sort();
    expect(shapes(module.named())).toEqual(shapes(c.under("param.")));
    const frozen = c.tensors.get("param.all_modules.0.W")?.data.length ?? 0; // PyTorch counts it among the parameters
    expect(countParameters(module) + frozen).toBe(c.attrs.number("parameters"));
    module.dispose();
  });
});

test("what a network predicts is part of its type", () => {
  expectTypeOf(net).toEqualTypeOf<NcsnPP<"score">>();
  expectTypeOf(asPredictor(net)).toEqualTypeOf<Predictor<"score">>();
  expect(net.predicts).toBe("score");
});

describe("forward", () => {
  test("scores have the shape of the images, and leave nothing behind", async () => {
    const before = engine.memory().live;
    const first = await evaluate(() => net.run(x, sigma));
    expect(first.length).toBe(x.size);
    expect(first.every(Number.isFinite)).toBe(true);
    expect(await evaluate(() => net.run(x, sigma))).toEqual(first);
    engine.scope(() => {
      const parameters = [...net.parameters().values()];
      const grads = grad(mean(square(net.run(x, sigma, { dropout: { seed: 1 } }))), parameters);
      expect(grads.map((g) => g.shape)).toEqual(parameters.map((p) => p.shape));
    });
    expect(engine.memory().live).toBe(before);
  });

  test("the noise of an image changes its own score only", async () => {
    const other = engine.tensor([0.02, 2, 40]);
    const [a, b] = [await evaluate(() => net.run(x, sigma)), await evaluate(() => net.run(x, other))];
    const image = (values: number[], i: number) => values.slice(192 * i, 192 * (i + 1));
    expect([image(b, 0), image(b, 2)]).toEqual([image(a, 0), image(a, 2)]);
    expect(image(b, 1)).not.toEqual(image(a, 1));
    other.dispose();
  });

  test("labels may be whole numbers, as i32 or f32, or fractions", async () => {
    const positional = build({ embeddingType: "positional", initScale: 1 });
    const at = (labels: Tensor) => evaluate(() => positional.run(x, labels));
    const whole = engine.tensor(Int32Array.from([0, 2, 1]));
    const [floats, fractions] = [engine.tensor([0, 2, 1]), engine.tensor([0.25, 2, 1.5])];
    expect(await at(floats)).toEqual(await at(whole));
    const between = await at(fractions); // told the blocks as they are, divided by the sigma of the whole part
    expect(between.every(Number.isFinite)).toBe(true);
    expect(between.slice(192, 384)).toEqual((await at(whole)).slice(192, 384));
    expect(between.slice(384)).not.toEqual((await at(whole)).slice(384));
    for (const t of [whole, floats, fractions]) t.dispose();
    positional.dispose();
  });

  test("a label outside the noise scales gives NaN for its image only", async () => {
    const positional = build({ embeddingType: "positional" });
    const labels = engine.tensor(Int32Array.from([0, 3, 1]));
    const y = await evaluate(() => positional.run(x, labels));
    expect([0, 200, 400].map((i) => Number.isNaN(y[i]!))).toEqual([false, true, false]);
    labels.dispose();
    positional.dispose();
  });

  test("a fault is found by the module's path", () => {
    const paths = new Set<string>();
    engine.observer = ({ path }) => paths.add(path);
    engine.scope(() => net.run(x, sigma));
    engine.observer = undefined;
    expect(paths).toContain("NcsnPP.all_modules.4.GroupNorm_0");
    expect(paths).toContain(`NcsnPP.all_modules.${net.all_modules.length - 1}`);
  });
});

describe("dropout", () => {
  const masks = { seed: 3, step: 1 };

  test("only with a source of masks, a function of seed and step", async () => {
    const still = await evaluate(() => net.run(x, sigma));
    const once = await evaluate(() => net.run(x, sigma, { dropout: masks }));
    expect(once).not.toEqual(still);
    expect(await evaluate(() => asPredictor(net, { dropout: masks })(x, sigma))).toEqual(once);
    expect(await evaluate(() => net.run(x, sigma, { dropout: { ...masks, step: 2 } }))).not.toEqual(once);
  });

  test("is the same where blocks forget and compute once more", async () => {
    const parameters = [...net.parameters().values()];
    const gradients = async (checkpointing: boolean) => {
      setCheckpointing(net, checkpointing);
      const grads = engine.scope(() => grad(mean(square(net.run(x, sigma, { dropout: masks }))), parameters));
      const values = await engine.readAll(grads);
      for (const t of grads) t.dispose();
      setCheckpointing(net, false);
      return values;
    };
    const kept = await gradients(false);
    for (const [i, g] of (await gradients(true)).entries()) // sums in another order
      expectNear(g, fromHost(kept[i]!, [g.length]), { terms: 100, floor: 1e-5 });
  });

  test("every layer has masks of its own", () => {
    const sites: number[] = [];
    engine.observer = ({ spec, attrs }) => {
      if (spec.name === "dropout") sites.push((attrs as { draw: { site: number } }).draw.site);
    };
    engine.scope(() => net.run(x, sigma, { dropout: masks }));
    engine.observer = undefined;
    expect(sites.length).toBe(10); // residual blocks: 1 and 1 down, 1 halves, 2 in the middle, 2 and 2 up, 1 doubles
    expect(new Set(sites).size).toBe(sites.length);
  });
});

describe("what does not fit is refused before any work", () => {
  const message = (options: Partial<NcsnPPOptions>): string => {
    try {
      build(options).dispose();
    } catch (error) {
      return (error as Error).message;
    }
    return "accepted";
  };

  test("options", () => {
    expect(
      [
        { nf: 0 },
        { nf: 6 },
        { chMult: [] },
        { chMult: [1, 1.5] },
        { imageSize: 12, chMult: [1, 1, 1, 1] },
        { attnResolutions: [16] },
        { resblockType: "bigan" as "biggan" },
        { progressive: "input_skip" as "none" },
        { embeddingType: "sinus" as "fourier" },
        { act: "silu" as "swish" },
        { dropout: 1 },
        { predicts: "eps" } as const,
        { sigmas: [1, 2] },
        { sigmas: [] },
      ].map(message),
    ).toMatchInlineSnapshot(`
      [
        "NcsnPP: got nf 0, expected a whole number of at least 1",
        "groupsFor: got 18 channels, which 4 groups cannot share out, expected widths that they can; choose a network's nf, or a classifier's channels, as a multiple of 32 or as 4, 8 or 16",
        "NcsnPP: got an empty chMult, expected a width for each level, such as [1, 2, 2, 2]",
        "NcsnPP: got chMult[1] 1.5, expected a whole number of at least 1",
        "NcsnPP: got imageSize 12 for 4 levels, expected a multiple of 8; shorten chMult or resize the images",
        "NcsnPP: got attnResolutions 16, expected sizes that the network has: 8, 4",
        "NcsnPP: got resblockType bigan, expected one of ddpm, biggan; did you mean biggan?",
        "NcsnPP: got progressive input_skip, expected one of none, output_skip, residual; did you mean output_skip?",
        "NcsnPP: got embeddingType sinus, expected one of fourier, positional",
        "NcsnPP: got activation silu, expected one of elu, relu, lrelu, swish; did you mean elu?",
        "NcsnPP: got dropout rate 1, expected a number from 0 to below 1",
        "NcsnPP: got predicts eps with scaleBySigma, expected score, which an output divided by sigma is; set scaleBySigma: false for eps",
        "NcsnPP: got sigma 2 at place 1, expected positive numbers, descending",
        "NcsnPP: got sigma none at place 0, expected positive numbers, descending",
      ]
    `);
  });

  test("inputs", () => {
    const wide = engine.zeros([3, 3, 8, 16]);
    const [few, labels] = [engine.ones([2]), engine.zeros([3], "i32")];
    expect(() => net.run(wide, sigma)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnPP: got x [3,3,8,16], expected [n,3,8,8]]`,
    );
    expect(() => net.run(x, few)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnPP: got noise condition f32 [2] for x [3,3,8,8], expected f32 or i32 [3]]`,
    );
    expect(() => net.run(x, labels)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnPP: got noise condition i32, expected sigma as f32; this network has Fourier features]`,
    );
    for (const t of [wide, few, labels]) t.dispose();
  });
});
