import { afterAll, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { mean, square } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Ddpm, type DdpmOptions } from "../../models/ddpm.ts";
import { Init } from "../../models/init.ts";
import { countParameters } from "../../models/module.ts";
import { engine } from "../support/engine.ts";

const tiny: DdpmOptions<"eps"> = {
  channels: 1,
  imageSize: 4,
  nf: 32,
  chMult: [1, 1],
  numResBlocks: 1,
  attnResolutions: [2],
  sigmas: [50, 0.01],
  predicts: "eps",
  dropout: 0.1,
};
const net = new Ddpm(new Init(engine, 1), tiny);
const x = engine.untrack(randn(engine, [2, 1, 4, 4], { seed: 1, purpose: "user" }));
afterAll(() => {
  net.dispose();
  x.dispose();
});

const evaluate = async (y: () => Tensor): Promise<number[]> => {
  const t = engine.noGrad(() => engine.scope(y));
  const values = [...(await t.data())];
  t.dispose();
  return values;
};

test("parameters that the published network has too", () => {
  const names = [...net.named()].map(([name]) => name);
  expect(names.slice(0, 4)).toEqual([
    "sigmas",
    "all_modules.0.weight",
    "all_modules.0.bias",
    "all_modules.1.weight",
  ]);
  expect(names.at(-1)).toBe("all_modules.17.bias");
  expect(countParameters(net)).toBe(261_729 + 2 * (32 * 32 * 9 + 32)); // ddpm_ve_scaled_pool and two convolutions
});

test("noise has the shape of the images, whole labels and fractions alike, and leaves nothing behind", async () => {
  const [whole, floats, between] = [
    engine.tensor(Int32Array.from([3, 999])),
    engine.tensor([3, 999]),
    engine.tensor([3, 998.5]),
  ];
  const before = engine.memory().live;
  const y = await evaluate(() => net.run(x, whole));
  expect(y.length).toBe(x.size);
  expect(await evaluate(() => net.run(x, floats))).toEqual(y);
  engine.scope(() => {
    const parameters = [...net.parameters().values()];
    const training = { dropout: { seed: 1 } };
    const grads = grad(mean(square(net.run(x, between, training))), parameters);
    expect(grads.map((g) => g.shape)).toEqual(parameters.map((p) => p.shape));
  });
  expect(engine.memory().live).toBe(before);
  for (const t of [whole, floats, between]) t.dispose();
});

test("what does not fit is refused before any work", () => {
  const build = (options: Partial<DdpmOptions>) => () => new Ddpm(new Init(engine), { ...tiny, ...options });
  expect(build({ nf: 48 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Ddpm: got nf 48, expected a multiple of 32, the groups of its norms]`,
  );
  expect(build({ conditional: false })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Ddpm: got conditional false, expected true; for a network that is not told the noise take NcsnPP with resblockType ddpm]`,
  );
  expect(build({ imageSize: 5 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Ddpm: got imageSize 5 for 2 levels, expected a multiple of 2; shorten chMult or resize the images]`,
  );
  expect(build({ scaleBySigma: true })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Ddpm: got predicts eps with scaleBySigma, expected score, which an output divided by sigma is; set scaleBySigma: false for eps]`,
  );
  const labels = engine.zeros([3], "i32");
  expect(() => net.run(x, labels)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Ddpm: got noise condition i32 [3] for x [2,1,4,4], expected f32 or i32 [2]]`,
  );
  labels.dispose();
});
