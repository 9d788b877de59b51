import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { requireSigmas } from "../engine/noise-scales.ts";
import { add, scale } from "../engine/ops/index.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type ChainOptions, type ChainStep, owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { requirePositive, requireWhole } from "./require.ts";
import type { ScoreFunction } from "./score.ts";

export interface SamplerStep extends ChainStep {
  readonly level: number;
  readonly sigma: number;
}

export interface AnnealingOptions extends ChainOptions<SamplerStep> {
  /** Noise scales by label, descending as the paper writes them. */
  sigmas: readonly number[];
  /** T: steps at each scale. 100 in the paper. */
  stepsPerLevel: number;
  /** Step size at the smallest scale; scale i takes epsilon sigma_i^2 / sigma_L^2. 2e-5 in the paper. */
  epsilon: number;
  /**
   * Where chains begin: "uniform" on [0, 1), as the 2019 code, unless told; "normal": N(0, sigma_1^2), which has the spread of
   * the noisy images that a network was trained on and so keeps small networks from losing their way.
   */
  prior?: "uniform" | "normal";
  /** End with x + sigma_L^2 score, the mean of the denoised image (Song & Ermon 2020, section 4.3). On unless told. */
  denoise?: boolean;
}

/** Throws UsageError for options out of range. */
export function requireAnnealing(who: string, options: AnnealingOptions): void {
  const { sigmas, stepsPerLevel, epsilon, prior = "uniform" } = options;
  requireSigmas(who, sigmas);
  if (prior !== "uniform" && prior !== "normal")
    throw new UsageError(`${who}: got prior ${prior}, expected uniform or normal`);
  requireWhole(who, { stepsPerLevel }, 1);
  requirePositive(who, { epsilon });
  requireDone(who, options, sigmas.length * stepsPerLevel);
}

/** The first state of chains down the noise scales. Throws as startOf. */
export function startAnnealing(who: string, engine: Engine, shape: Shape, options: AnnealingOptions): Tensor {
  const { prior = "uniform", sigmas } = options;
  return startOf(who, engine, shape, options, prior === "normal" ? { std: sigmas[0]! } : prior);
}

/** What a step works with; the Scalars change from level to level. */
export interface Annealing {
  /** score(x) at this level's label. */
  readonly score: (x: Tensor) => Tensor;
  readonly noise: StepNoise;
  readonly sigma: Scalar;
  /** Coefficients of the level's Langevin step, x + pull score + kick z. */
  readonly pull: Scalar;
  readonly kick: Scalar;
}

interface Schedule {
  /** Before a level's first step, and where a chain goes on in the middle of one, whose x it must then leave as it is. */
  readonly enter?: (at: Annealing) => void;
  /** One step, in place. */
  readonly move: (at: Annealing) => void;
  /** After the last step, and after it was denoised. */
  readonly leave?: () => void;
}

/**
 * Moves x [n,...] down the noise scales, stepsPerLevel steps at each, and denoises it. `score` is told labels [n] (i32).
 * Frees `scratch` in any case and x if something fails, unless it is the caller's start.
 */
export function anneal(
  x: Tensor,
  score: ScoreFunction,
  options: AnnealingOptions,
  { enter, move, leave }: Schedule,
  scratch: readonly Tensor[] = [],
): Promise<Tensor> {
  const { sigmas, stepsPerLevel, epsilon, denoise = true, start, done = 0, onStep } = options;
  const { engine } = x;
  const [n] = x.shape as [number];
  const last = sigmas.at(-1)!;
  const labels = engine.untrack(engine.zeros([n], "i32"));
  const noise = new StepNoise(engine, options);
  const [sigma, pull, kick] = [new Scalar(0), new Scalar(0), new Scalar(0)];
  const at: Annealing = { score: (y) => score(y, labels), noise, sigma, pull, kick };
  const steps = sigmas.length * stepsPerLevel;
  const prepare = (k: number) => {
    if (k % stepsPerLevel !== 0 && k !== done) return;
    const level = Math.floor(k / stepsPerLevel);
    labels.write(new Int32Array(n).fill(level));
    sigma.value = sigmas[level]!;
    pull.value = epsilon * (sigma.value / last) ** 2;
    kick.value = Math.sqrt(2 * pull.value);
    if (!enter) return;
    noise.step.value = level * stepsPerLevel; // a level that was left half way has drawn already
    engine.scope(() => engine.noGrad(() => enter(at)));
    noise.step.value = k;
  };
  const report = (done: number) => {
    const level = Math.floor((done - 1) / stepsPerLevel);
    return onStep?.({ done, total: steps, level, sigma: sigmas[level]!, x });
  };
  const finish = () => {
    labels.write(new Int32Array(n).fill(sigmas.length - 1)); // of a chain that had no step left to go
    engine.copy(add(x, scale(at.score(x), last ** 2)), x);
    leave?.();
  };
  return owning(x, { start, scratch: [labels, ...scratch] }, async () => {
    await runChain(engine, { steps, done, noise, prepare, move: () => move(at), report });
    if (denoise) engine.scope(() => engine.noGrad(finish));
    return x;
  });
}
