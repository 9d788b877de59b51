/** Losses that differentiate the score, with activations computed anew or stored as f16: the gradients of plain f32. */
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { setCheckpointing } from "../../models/blocks/index.ts";
import { ResidualBlock } from "../../models/blocks/residual.ts";
import { Init } from "../../models/init.ts";
import { ConditionalInstanceNorm2dPlus, Conv2d } from "../../models/layers/index.ts";
import { Module } from "../../models/module.ts";
import { asPredictor, type Network } from "../../models/prediction.ts";
import { annealed, Batches, geometricSigmas, type MatchingName, matchingNames } from "../../train/index.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 3 });
const shape = [2, 1, 4, 4] as const;
const order = () => Uint32Array.of(0, 1);

/** A residual block between two convolutions. */
class OneBlock extends Module<[x: Tensor, labels: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly begin: Conv2d;
  readonly block: ResidualBlock;
  readonly end: Conv2d;

  constructor(init: Init) {
    super();
    const norm = (i: Init, c: number) => new ConditionalInstanceNorm2dPlus(i, c, sigmas.length);
    this.begin = new Conv2d(init, 1, 4);
    this.block = new ResidualBlock(init, 4, 4, { norm, act: "elu" });
    this.end = new Conv2d(init, 4, 1);
    this.nameParts();
  }

  forward(x: Tensor, labels: Tensor): Tensor {
    return this.end.run(this.block.run(this.begin.run(x), labels));
  }
}

interface How {
  checkpointing?: boolean;
  mixed?: boolean;
}

/** Loss and all gradients, of one network and one batch. */
async function gradients(
  loss: MatchingName,
  { checkpointing = false, mixed = false }: How = {},
): Promise<number[]> {
  const network = new OneBlock(new Init(engine, 3));
  setCheckpointing(network, checkpointing);
  const params = [...network.parameters().values()];
  const objective = annealed(engine, {
    sigmas,
    batches: new Batches({ count: 2, size: 2, seed: 1, order }),
    loss,
  });
  const x = engine.tensor(Float32Array.from(normal(shape, 5).data), shape);
  try {
    objective.feed?.(0, 0);
    const results = engine.scope(() => {
      const predictor = asPredictor(network);
      const stored = (image: Tensor, condition: Tensor) =>
        engine.autocast(() => predictor(image, condition), mixed);
      const value = objective.loss(Object.assign(stored, { predicts: network.predicts }), x, { seed: 7 });
      return [value, ...grad(value, params)];
    });
    const values = await engine.readAll(results);
    for (const t of results) t.dispose();
    return values.flatMap((v) => [...v]);
  } finally {
    objective.dispose?.();
    x.dispose();
    network.dispose();
  }
}

/** Of all gradients as one vector, the share by which they depart. */
function departure(got: readonly number[], plain: readonly number[]): number {
  const length = (values: readonly number[]) => Math.hypot(...values.slice(1));
  return length(got.map((g, i) => g - plain[i]!)) / length(plain);
}

describe.each(matchingNames)("%s", (loss) => {
  let plain: number[];
  beforeAll(async () => {
    plain = await gradients(loss);
  });

  test("checkpointing gives the gradients of the plain graph, to rounding", async () => {
    const got = await gradients(loss, { checkpointing: true });
    expect(got[0]).toBe(plain[0]);
    expect(departure(got, plain)).toBeLessThan(1e-6);
  });

  test.runIf(engine.device.features.has("shader-f16"))(
    "mixed precision is off by what f16 rounds",
    async () => {
      const got = await gradients(loss, { mixed: true });
      expect(Math.abs(got[0]! / plain[0]! - 1)).toBeLessThan(2e-3);
      const off = departure(got, plain);
      expect(off).toBeLessThan(5e-3);
      expect(off).toBeGreaterThan(1e-6); // activations were stored as f16
    },
  );

  test.runIf(engine.device.features.has("shader-f16"))(
    "both together give what mixed precision alone gives",
    async () => {
      const mixed = await gradients(loss, { mixed: true });
      expect(departure(await gradients(loss, { mixed: true, checkpointing: true }), mixed)).toBeLessThan(
        1e-4,
      );
    },
  );
});
