import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { add, scale } from "../engine/ops/index.ts";
import { rand, randn } from "../engine/random.ts";
import { Scalar } from "../engine/scalar.ts";
import { sameShape, showShape } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { langevinStep } from "../engine/updates.ts";
import type { ScoreFunction } from "./score.ts";

export interface AnnealedLangevinOptions {
  /** Noise scales by label, descending as the paper writes them. */
  sigmas: readonly number[];
  /** T: steps at each scale. 100 in the paper. */
  stepsPerLevel: number;
  /** Step size at the smallest scale; scale i takes epsilon sigma_i^2 / sigma_L^2. 2e-5 in the paper. */
  epsilon: number;
  seed: number;
  /** Index of the first sample: a batch split in parts gives the same samples. */
  sampleOffset?: number;
  /** End with x + sigma_L^2 score, the mean of the denoised image (Song & Ermon 2020, section 4.3). */
  denoise?: boolean;
  /** Where to start, [n,...]; it is overwritten. Drawn from `prior` unless given. */
  start?: Tensor;
  /**
   * "uniform" on [0, 1), as the 2019 code, unless told; "normal": N(0, sigma_1^2), which has the spread of the noisy
   * images that a network was trained on and so keeps small networks from losing their way.
   */
  prior?: "uniform" | "normal";
  /** Called after each step with the chain's state; it is awaited. */
  onStep?: (progress: SamplerStep) => void | Promise<void>;
}

export interface SamplerStep {
  /** Steps done, of `total`. */
  readonly done: number;
  readonly total: number;
  readonly level: number;
  readonly sigma: number;
  /** The chain's state, [n,...]. Read it before the callback returns. */
  readonly x: Tensor;
}

/**
 * Annealed Langevin dynamics, x <- x + a score + sqrt(2 a) z with a = epsilon sigma_i^2 / sigma_L^2: algorithm 1 of
 * Song & Ermon 2019 in the form of their image code (their alpha is 2 a). One captured step is replayed for all.
 * `score` is told labels [n] (i32). Returns x [n,...], the caller's to dispose. Throws UsageError for options out of range and a start of another shape.
 */
export async function annealedLangevin(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: AnnealedLangevinOptions,
): Promise<Tensor> {
  const {
    sigmas,
    stepsPerLevel,
    epsilon,
    seed,
    sampleOffset = 0,
    denoise = true,
    start,
    prior = "uniform",
    onStep,
  } = options;
  requireOptions(shape, options);
  const [n] = shape as [number];
  const last = sigmas.length - 1;
  const draw = { seed, purpose: "prior", sampleOffset } as const;
  const drawn = () =>
    prior === "normal" ? scale(randn(engine, shape, draw), sigmas[0]!) : rand(engine, shape, draw);
  const x = engine.untrack(start ?? engine.scope(drawn));
  const labels = engine.untrack(engine.zeros([n], "i32"));
  const [a, b, step] = [new Scalar(0), new Scalar(0), new Scalar(0)];
  const total = sigmas.length * stepsPerLevel;
  const move = () =>
    engine.noGrad(() =>
      langevinStep(x, score(x, labels), { a, b, draw: { seed, purpose: "sampler", step, sampleOffset } }),
    );
  let capture: ReturnType<typeof engine.capture<void>> | undefined;
  try {
    for (const [level, sigma] of sigmas.entries()) {
      labels.write(new Int32Array(n).fill(level));
      a.value = epsilon * (sigma / sigmas[last]!) ** 2;
      b.value = Math.sqrt(2 * a.value);
      for (let t = 0; t < stepsPerLevel; t++) {
        step.value = level * stepsPerLevel + t;
        if (capture) capture.replay();
        else capture = engine.capture(move);
        await onStep?.({ done: step.value + 1, total, level, sigma, x });
      }
    }
    if (denoise)
      engine.scope(() =>
        engine.noGrad(() => engine.copy(add(x, scale(score(x, labels), sigmas[last]! ** 2)), x)),
      );
    await engine.sync();
    return x;
  } catch (fault) {
    if (x !== start) x.dispose();
    throw fault;
  } finally {
    capture?.dispose();
    labels.dispose();
  }
}

function requireOptions(shape: Shape, options: AnnealedLangevinOptions): void {
  const { sigmas, stepsPerLevel, epsilon, sampleOffset = 0, start } = options;
  const bad = sigmas.findIndex((s, i) => !(s > 0 && Number.isFinite(s)) || (i > 0 && s > sigmas[i - 1]!));
  if (sigmas.length === 0 || bad >= 0)
    throw new UsageError(
      `annealedLangevin: got sigma ${sigmas[bad] ?? "none"} at place ${Math.max(bad, 0)}, expected positive numbers, descending`,
    );
  if (!Number.isInteger(stepsPerLevel) || stepsPerLevel < 1)
    throw new UsageError(
      `annealedLangevin: got stepsPerLevel ${stepsPerLevel}, expected a whole number from 1`,
    );
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw new UsageError(`annealedLangevin: got epsilon ${epsilon}, expected a positive number`);
  if (!Number.isInteger(sampleOffset) || sampleOffset < 0)
    throw new UsageError(
      `annealedLangevin: got sampleOffset ${sampleOffset}, expected a whole number from 0`,
    );
  if (start && !sameShape(start.shape, shape))
    throw new UsageError(
      `annealedLangevin: got start ${showShape(start.shape)} for images ${showShape(shape)}, expected one shape`,
    );
}
