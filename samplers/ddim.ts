import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type ChainOptions, type ChainStep, owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { requireEps, requireWhole } from "./require.ts";
import type { ScoreFunction } from "./score.ts";
import { linspace, type Marginal, type Sde, stepIndex } from "./sde/sde.ts";
import type { Vp } from "./sde/vp.ts";

/** What DDIM asks of a diffusion: its marginals, and what networks are told of the time. */
export type DdimProcess = Pick<Sde, "T" | "samplingEps" | "priorStd" | "marginalAt" | "conditionAt">;

/** The Markov chain of DDPM, for networks that were trained on it: the marginals of its steps, and their labels. */
export function ddpmChain(sde: Vp): DdimProcess {
  const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = sde.discrete;
  const marginalAt = (t: number) => {
    const i = stepIndex(sde, t);
    return { alpha: sqrtAlphasCumprod[i]!, std: sqrtOneMinusAlphasCumprod[i]! };
  };
  return { ...sde, marginalAt, conditionAt: sde.labelAt };
}

export interface DdimOptions extends ChainOptions<DdimStep> {
  sde: DdimProcess;
  /** Evaluations of the score: at so many times from T to eps, in equal steps. */
  steps: number;
  /** From 0 (unless told), the probability flow, which draws nothing, to 1, the ancestral steps of DDPM and SMLD. */
  eta?: number;
  /** The last time, above 0, from where x goes to the mean of x_0. sde.samplingEps unless told. */
  eps?: number;
  /** What the score is told of a time: sde.conditionAt unless told. */
  condition?: (t: number) => number;
}

export interface DdimStep extends ChainStep {
  /** The time x has come to. */
  readonly t: number;
}

/**
 * Denoising diffusion implicit models: from time to time with the same x_0 and noise, as the score sees them,
 * x' = alpha' x_0 + sqrt(std'^2 - s^2) eps + s z with eps = -std score, x_0 = (x - std eps) / alpha and
 * s = eta std' / std sqrt(std^2 - (alpha / alpha')^2 std'^2). Song, Meng & Ermon 2021, equations 12 and 16, whose
 * alpha is our alpha^2; for any SDE with p(x_t | x_0) = N(alpha x_0, std^2 I). One captured step is replayed for all.
 * `score` is told condition(t), f32 [n]. Returns x [n,...], the caller's to dispose. Throws UsageError for options
 * out of range and a start of another shape.
 */
export async function ddim(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: DdimOptions,
): Promise<Tensor> {
  const { sde, steps, eta = 0, eps = sde.samplingEps, start, done, onStep } = options;
  const { condition = sde.conditionAt } = options;
  const way = ddimSteps({ sde, steps, eta, eps });
  requireDone("ddim", options, steps);
  const x = startOf("ddim", engine, shape, options, { std: sde.priorStd });
  const [n] = shape as [number];
  const told = engine.untrack(engine.zeros([n]));
  const noise = new StepNoise(engine, options);
  const [keep, pull, fresh] = [new Scalar(1), new Scalar(0), new Scalar(0)];
  return owning(x, { start, scratch: [told] }, async () => {
    await runChain(engine, {
      steps,
      done,
      noise,
      prepare(k) {
        const { t, ...step } = way[k]!;
        told.write(new Float32Array(n).fill(condition(t)));
        [keep.value, pull.value, fresh.value] = [step.keep, step.pull, step.noise];
      },
      move: () => noise.update(x, score(x, told), { keep, pull, noise: eta > 0 ? fresh : undefined }),
      report: (done) => onStep?.({ done, total: steps, t: way[done]?.t ?? 0, x }),
    });
    return x;
  });
}

const clean: Marginal<number> = { alpha: 1, std: 0 };

/**
 * The steps of DDIM, each with the time it starts at: those of `ddimStep`. Throws UsageError for options out of range, and
 * for an SDE that leaves nothing of x_0 in some x: with alpha 0 there the step has no x_0 to go by.
 */
export function ddimSteps({
  sde,
  steps,
  eta = 0,
  eps = sde.samplingEps,
}: Pick<DdimOptions, "sde" | "steps" | "eta" | "eps">) {
  requireWhole("ddim", { steps }, 1);
  if (!(eta >= 0 && eta <= 1)) throw new UsageError(`ddim: got eta ${eta}, expected a number from 0 to 1`);
  requireEps("ddim", eps, sde.T);
  const times = linspace(sde.T, eps, steps);
  const marginals = [...times.map((t) => sde.marginalAt(t)), clean];
  return times.map((t, k) => {
    const step = ddimStep(marginals[k]!, marginals[k + 1]!, eta);
    if (!Object.values(step).every((factor) => Number.isFinite(Math.fround(factor))))
      throw new UsageError(
        `ddim: got an SDE with alpha ${marginals[k]!.alpha} at time ${t}, expected some of the image left, for it is ` +
          "divided by alpha; draw by another method, such as pc, or train on an SDE with a lower betaMax",
      );
    return { t, ...step };
  });
}

/** The step between two marginals as x <- keep x + pull score + noise z. */
function ddimStep(from: Marginal<number>, to: Marginal<number>, eta: number) {
  const keep = to.alpha / from.alpha;
  const posterior = ((from.std ** 2 - (to.std / keep) ** 2) * to.std ** 2) / from.std ** 2;
  const noise = eta * Math.sqrt(Math.max(0, posterior));
  return { keep, pull: keep * from.std ** 2 - from.std * Math.sqrt(to.std ** 2 - noise ** 2), noise };
}
