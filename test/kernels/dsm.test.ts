import { test } from "vitest";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { drawNumbers, purposes } from "../../engine/random.ts";
import { dsmLoss, dsmLossGrad, dsmPerturb } from "../../kernels/dsm.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

test.each(dsmPerturb.variants)(
  "perturbation by runs of $run blocks, whole ones only: $vec",
  async (variant) => {
    const shape = variant.vec ? [5, 12] : [5, 13];
    const [x, sigma] = [normal(shape, 1), uniform(0.1, 9)([5], 2)];
    const t = { x: upload(x), sigma: upload(sigma), noisy: engine.empty(shape), zs: engine.empty(shape) };
    const numbers = drawNumbers(shape, { seed: 5, purpose: "perturb", step: 3, sampleOffset: 1 });
    engine.launch(dsmPerturb, variant, t, numbers);
    const [noisy, zs] = await engine.readAll([t.noisy, t.zs]);
    expectNear(
      zs!,
      randomNormal(shape, { seed: [5, 0], step: 3, purpose: purposes.perturb, sampleOffset: 1 }),
    );
    expectNear(noisy!, oracle.dsmPerturb(x, sigma, fromHost(zs!, shape)));
    for (const tensor of Object.values(t)) tensor.dispose();
  },
);

const sizes = (vec: boolean) => (vec ? [4, 12, 276] : [1, 3, 13, 69]);
const POWER = 1.5;

test.each(dsmLoss.variants)("partial losses by $by, whole vec4s only: $vec", async (v) => {
  for (const sampleSize of [...sizes(v.vec), v.vec ? 1204 : 301]) {
    const [score, z] = [normal([3, sampleSize], 1), normal([3, sampleSize], 2)];
    const sigma = uniform(0.1, 9)([3], 3);
    const { loss } = await launched(
      dsmLoss,
      v,
      { score, z, sigma },
      { loss: [3, 2] },
      { samples: 3, sampleSize, segments: 2, power: POWER },
    );
    const totals = [0, 1, 2].map((n) => loss![2 * n]! + loss![2 * n + 1]!);
    const expected = oracle.dsmLossPerSample(score, z, sigma, { annealPower: POWER });
    expectNear(totals, expected, { terms: sampleSize, magnitude: "own" }, `${sampleSize} elements`);
  }
});

test.each(dsmLossGrad.variants)("the loss's gradient, $run a thread, whole vec4s only: $vec", async (v) => {
  for (const sampleSize of sizes(v.vec)) {
    const shape = [3, sampleSize];
    const [score, z] = [normal(shape, 1), normal(shape, 2)];
    const [sigma, dloss] = [uniform(0.1, 9)([3], 3), normal([1], 4)];
    const share = 0.3;
    const { dscore } = await launched(
      dsmLossGrad,
      v,
      { score, z, sigma, dloss },
      { dscore: shape },
      { samples: 3, sampleSize, power: POWER, share },
    );
    const data = score.data.map((s, i) => {
      const n = Math.floor(i / sampleSize);
      return share * dloss.data[0]! * sigma.data[n]! ** POWER * (s + z.data[i]! / sigma.data[n]!);
    });
    expectNear(dscore!, { shape, data }, {}, `${sampleSize} elements`);
  }
});
