import { test } from "vitest";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { drawNumbers, purposes } from "../../engine/random.ts";
import { dsmPerturb } from "../../kernels/dsm.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
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
