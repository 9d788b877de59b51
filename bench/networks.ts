import { grad } from "../engine/autograd.ts";
import type { Engine } from "../engine/engine.ts";
import { dsmLoss, dsmPerturb, instanceNorm } from "../engine/ops/index.ts";
import { Adam } from "../engine/optim/adam.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { Init } from "../models/index.ts";
import { Conv2d } from "../models/layers/index.ts";
import { Module } from "../models/module.ts";
import { drawn, kept } from "./inputs.ts";

/** Convolution to 32 channels, three of [instance norm, ELU, dilated convolution], convolution back. x [n,3,h,w] -> [n,3,h,w]. */
class DilatedNet extends Module<[x: Tensor], Tensor> {
  readonly begin: Conv2d;
  readonly dilated: Conv2d[];
  readonly end: Conv2d;

  constructor(init: Init) {
    super();
    this.begin = new Conv2d(init, 3, 32);
    this.dilated = [1, 2, 4].map((dilation) => new Conv2d(init, 32, 32, { dilation }));
    this.end = new Conv2d(init, 32, 3);
  }

  forward(x: Tensor): Tensor {
    let h = this.begin.run(x);
    for (const conv of this.dilated) h = conv.run(instanceNorm(h, { activation: "elu" }));
    return this.end.run(h);
  }
}

/** A batch of 8 colour images of 32 x 32. */
export const batch = [8, 3, 32, 32] as const;

/** A training step of the dilated network: `step` may be captured, `advance` goes before every one. */
export class DilatedStep {
  readonly #engine: Engine;
  readonly #network: DilatedNet;
  readonly #optimizer: Adam;
  readonly #count = new Scalar(0);

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#network = new DilatedNet(new Init(engine, 3));
    this.#optimizer = new Adam(this.#network.parameters(), { lr: 1e-4 });
    this.#inputs(batch); // before any walk that would leave them without values
  }

  /** Denoising score matching at one noise scale. -> [] */
  loss(shape: Shape = batch): Tensor {
    const { x, sigma } = this.#inputs(shape);
    const { noisy, z } = dsmPerturb(x, sigma, {
      seed: 1,
      purpose: "perturb",
      step: this.#count,
    });
    return dsmLoss(this.#network.run(noisy), z, sigma);
  }

  #inputs(shape: Shape): { x: Tensor; sigma: Tensor } {
    const engine = this.#engine;
    const sigma = kept(engine, `one sigma ${shape}`, () => engine.untrack(engine.full([shape[0]!], 0.5)));
    return { x: drawn(engine, shape), sigma };
  }

  step(): void {
    this.#optimizer.apply(grad(this.loss(), [...this.#network.parameters().values()]));
  }

  advance(): void {
    this.#count.value++;
    this.#optimizer.advance();
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#network.dispose();
  }
}
