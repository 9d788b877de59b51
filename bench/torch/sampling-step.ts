import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ScoreFunction, ve } from "../../samplers/index.ts";
import { StepNoise } from "../../samplers/noise.ts";
import { planOf } from "../../samplers/pc-options.ts";
import { normRatio } from "../../samplers/update.ts";

export const SNR = 0.16;

interface NoiseScales {
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly numScales: number;
}

/**
 * One step of predictor-corrector sampling, as samplers/pc.ts takes it at the middle of its times: Langevin's corrector,
 * the reverse diffusion's predictor, two calls of the network.
 */
export class SamplingStep {
  readonly t: number;
  /** What the network is told. */
  readonly sigma: number;
  readonly noise: StepNoise;
  readonly #numbers: ReturnType<typeof planOf>["times"][number];

  constructor(
    engine: Engine,
    { sigmaMin, sigmaMax, numScales }: NoiseScales,
    { seed, middle = Math.floor(numScales / 2) }: { seed: number; middle?: number },
  ) {
    const sde = ve({ sigmaMin, sigmaMax, steps: numScales });
    this.#numbers = planOf({ sde, seed, snr: SNR }).times[middle]!;
    this.t = this.#numbers.t;
    this.sigma = this.#numbers.condition;
    this.noise = new StepNoise(engine, { seed });
  }

  /** Moves x [n,c,h,w] in place; condition [n] holds sigma. */
  move(score: ScoreFunction, x: Tensor, condition: Tensor): void {
    const { correct, predict } = this.#numbers;
    const { noise } = this;
    x.engine.scope(() => {
      const s = score(x, condition);
      const z = noise.of(x.shape, 1);
      noise.updateBy(x, s, { ...correct, unit: normRatio(s, z) }, z);
    });
    x.engine.scope(() => noise.updateBy(x, score(x, condition), predict, noise.of(x.shape)));
  }

  /** What the corrector and the predictor draw, in this order. */
  draws(x: Tensor): [Tensor, Tensor] {
    return [this.noise.normal(x.shape, 1), this.noise.normal(x.shape)];
  }
}
