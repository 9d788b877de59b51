import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { combine } from "../engine/ops/index.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type ChainOptions, type ChainStep, owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { requirePositive, requireWhole } from "./require.ts";
import type { ScoreFunction } from "./score.ts";
import { linspace } from "./sde/sde.ts";

export interface EdmSchedule {
  /** N: how many noise scales. */
  steps: number;
  /** In units of the data, 0 < sigmaMin < sigmaMax: 0.002 and 80 in the paper. */
  sigmaMin: number;
  sigmaMax: number;
  /** How much closer the scales lie at the small end. 7 unless told. */
  rho?: number;
}

export interface EdmOptions extends EdmSchedule, ChainOptions<EdmStep> {
  /** New noise before each step, for stochastic sampling. None unless given. */
  churn?: Churn;
  /** What the score is told of a noise scale: sigma unless told. */
  condition?: (sigma: number) => number;
}

/** Algorithm 2's S_churn, S_tmin, S_tmax and S_noise. */
export interface Churn {
  /** N times the factor by which sigma is raised, at most sqrt 2 - 1 a step. 0 is no churn; 40 in the paper for CIFAR-10. */
  amount: number;
  /** The scales between which there is churn; all unless told. */
  min?: number;
  max?: number;
  /** Standard deviation of the noise, somewhat above 1 to make up for lost detail. 1 unless told. */
  noise?: number;
}

export interface EdmStep extends ChainStep {
  /** The noise left in x. */
  readonly sigma: number;
}

/** sigma_i = (max^(1/rho) + i / (N - 1) (min^(1/rho) - max^(1/rho)))^rho, and 0 after them. Karras et al. 2022, equation 5. */
export function edmSigmas({ steps, sigmaMin, sigmaMax, rho = 7 }: EdmSchedule): number[] {
  requireWhole("edm", { steps }, 1);
  requirePositive("edm", { sigmaMin, sigmaMax, rho });
  if (!(sigmaMin < sigmaMax))
    throw new UsageError(`edm: got sigmaMin ${sigmaMin}, sigmaMax ${sigmaMax}, expected sigmaMin < sigmaMax`);
  const roots = linspace(sigmaMax ** (1 / rho), sigmaMin ** (1 / rho), steps);
  return [...roots.map((root) => root ** rho), 0];
}

/**
 * The sampler of Karras et al. 2022 for x = x_0 + sigma z: the probability flow dx = -sigma score dsigma by Heun's
 * second-order steps, the last of them Euler's (algorithm 1), and with `churn` noise added and taken away again on the
 * way (algorithm 2). Evaluates the score 2 N - 1 times. One captured step is replayed for all but the last. `score` is
 * told condition(sigma), f32 [n]. Returns x [n,...], the caller's to dispose. Throws UsageError for options out of range
 * and a start of another shape.
 */
export async function edm(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: EdmOptions,
): Promise<Tensor> {
  const { steps, churn, condition = (sigma) => sigma, start, done = 0, onStep } = options;
  const sigmas = edmSigmas(options);
  const raised = raisedSigmas(sigmas, churn);
  requireDone("edm", options, steps);
  const x = startOf("edm", engine, shape, options, { std: options.sigmaMax });
  const noise = new StepNoise(engine, options);
  const [n] = shape as [number];
  const [here, there] = [engine.untrack(engine.zeros([n])), engine.untrack(engine.zeros([n]))];
  const [fresh, euler, half, ahead] = [new Scalar(0), new Scalar(0), new Scalar(0), new Scalar(0)];

  const prepare = (k: number) => {
    const [from, to] = [raised[k]!, sigmas[k + 1]!];
    here.write(new Float32Array(n).fill(condition(from)));
    if (to > 0) there.write(new Float32Array(n).fill(condition(to))); // no score is asked for at 0
    fresh.value = (churn?.noise ?? 1) * Math.sqrt(from ** 2 - sigmas[k]! ** 2);
    euler.value = (to - from) * -from; // of the slope -sigma score, as the others
    half.value = euler.value / 2;
    ahead.value = ((to - from) * -to) / 2;
  };
  const raise = () => {
    if (churn) engine.copy(combine(x, [[fresh, noise.normal(shape)]]), x);
  };
  const heun = () => {
    raise();
    const before = score(x, here);
    const moved = combine(x, [[euler, before]]);
    noise.update(x, before, { pull: half });
    noise.update(x, score(moved, there), { pull: ahead });
  };
  const toZero = () => {
    raise();
    noise.update(x, score(x, here), { pull: euler });
  };
  const report = (done: number) => onStep?.({ done, total: steps, sigma: sigmas[done]!, x });

  return owning(x, { start, scratch: [here, there] }, async () => {
    await runChain(engine, { steps: steps - 1, done, noise, prepare, move: heun, report });
    await runChain(engine, { steps, done: Math.max(done, steps - 1), noise, prepare, move: toZero, report });
    return x;
  });
}

/** What churn makes of each sigma; the last stays 0. Throws UsageError for a churn out of range. */
function raisedSigmas(sigmas: readonly number[], churn: Churn | undefined): number[] {
  if (!churn) return [...sigmas];
  const { amount, min = 0, max = Infinity, noise = 1 } = churn;
  if (!(amount >= 0 && Number.isFinite(amount)))
    throw new UsageError(`edm: got churn amount ${amount}, expected a number from 0`);
  if (!(min >= 0 && min <= max))
    throw new UsageError(`edm: got churn from ${min} to ${max}, expected 0 <= min <= max`);
  requirePositive("edm", { "churn noise": noise });
  const factor = 1 + Math.min(amount / (sigmas.length - 1), Math.SQRT2 - 1);
  return sigmas.map((sigma) => (sigma >= min && sigma <= max ? sigma * factor : sigma));
}
