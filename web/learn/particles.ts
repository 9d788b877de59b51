import type { Capture } from "../../engine/capture.ts";
import type { Engine } from "../../engine/engine.ts";
import { mul, sub } from "../../engine/ops/index.ts";
import { rand } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import { StepNoise } from "../../samplers/noise.ts";

/** Of sigma^2, the step size: small beside 2, where Langevin steps on the narrowest Gaussian blow up. */
const STEP = 0.1;
const STEPS_PER_LEVEL = 60;
/** Steps for which the chains stay at the smallest scale of a ladder before they begin anew. */
const REST = 240;

interface ParticleOptions {
  readonly count: number;
  readonly seed: number;
  /** Chains begin all over [-reach, reach]^2. */
  readonly reach: number;
  /** Noise scales by label, descending. */
  readonly sigmas: readonly number[];
}

/**
 * Chains of Langevin dynamics that never end, on a score that may change meanwhile: down the ladder, a while at its
 * end, and from the start again with other noise. At a single scale they go on and on. Song & Ermon 2019, algorithm 1.
 */
export class Particles {
  /** [count,2] */
  readonly x: Tensor;
  readonly #engine: Engine;
  readonly #options: ParticleOptions;
  readonly #labels: Tensor;
  readonly #noise: StepNoise;
  readonly #pull = new Scalar(0);
  readonly #kick = new Scalar(0);
  readonly #capture: Capture<void>;
  /** Steps since the chains began. */
  #age = 0;
  #starts = 0;

  constructor(engine: Engine, score: ScoreFunction, options: ParticleOptions) {
    const { count, seed } = options;
    this.#engine = engine;
    this.#options = options;
    this.x = engine.untrack(engine.zeros([count, 2]));
    this.#labels = engine.untrack(engine.zeros([count], "i32"));
    this.#noise = new StepNoise(engine, { seed });
    const move = () =>
      this.#noise.update(this.x, score(this.x, this.#labels), { pull: this.#pull, noise: this.#kick });
    this.#capture = engine.capture(() => engine.noGrad(move)); // it runs once, on zeros
    this.scatter();
  }

  /** The label of the noise scale that the chains are at. */
  get level(): number {
    return Math.min(this.#options.sigmas.length - 1, Math.floor(this.#age / STEPS_PER_LEVEL));
  }

  /** Begins the chains anew. */
  scatter(): void {
    const { seed, reach } = this.#options;
    const draw = { seed, purpose: "prior", step: this.#starts++ } as const;
    const engine = this.#engine;
    engine.scope(() =>
      engine.noGrad(() => engine.copy(sub(mul(rand(engine, this.x.shape, draw), 2 * reach), reach), this.x)),
    );
    this.#age = 0;
    this.#enter();
  }

  /** Asks for so many steps. */
  move(count: number): void {
    for (let k = 0; k < count; k++) {
      const before = this.level;
      this.#capture.replay();
      this.#noise.step.value++;
      this.#age++;
      if (this.#age === this.#lifetime) this.scatter();
      else if (this.level !== before) this.#enter();
    }
  }

  dispose(): void {
    this.#capture.dispose();
    this.x.dispose();
    this.#labels.dispose();
  }

  get #lifetime(): number {
    const { length } = this.#options.sigmas;
    return length === 1 ? Infinity : length * STEPS_PER_LEVEL + REST;
  }

  #enter(): void {
    this.#labels.write(new Int32Array(this.#labels.size).fill(this.level));
    const { sigmas } = this.#options;
    this.#pull.value = STEP * sigmas[this.level]! ** 2;
    this.#kick.value = Math.sqrt(2 * this.#pull.value);
  }
}
