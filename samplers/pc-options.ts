import { expectedOneOf, UsageError } from "../engine/errors.ts";
import type { ScalarLike } from "../engine/scalar.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { NormsOver } from "../engine/updates.ts";
import type { ChainOptions, ChainStep } from "./chain.ts";
import { type Corrector, type CorrectorName, correctors } from "./correctors/index.ts";
import { type Predictor, type PredictorName, predictors, type Step } from "./predictors/index.ts";
import { requirePositive, requireWhole } from "./require.ts";
import { type Marginal, type Sde, timeGrid } from "./sde/index.ts";

export interface PredictorCorrectorOptions extends ChainOptions<PredictorCorrectorStep> {
  sde: Sde;
  /** By its name, or one of your own; "reverse_diffusion" unless told. */
  predictor?: PredictorName | Predictor;
  /** The same; "langevin" unless told. */
  corrector?: CorrectorName | Corrector;
  /** Signal-to-noise ratio of the corrector's steps. 0.16 unless told. */
  snr?: number;
  /**
   * Where the Langevin corrector takes the norms of noise and score from: "batch" (unless told), their means over the
   * batch as published, so that a batch in parts gives other samples; or "sample", each sample's own.
   */
  snrOver?: NormsOver;
  /** Corrector steps at each time. 1 unless told. */
  correctorSteps?: number;
  /** Predict by the probability flow ODE instead of the reverse SDE. */
  probabilityFlow?: boolean;
  /** The predictor's last step adds no noise. On unless told. */
  denoise?: boolean;
  /**
   * The last time, above 0. sde.samplingEps unless told, as published for 1000 steps: in N fewer of the VP and the sub-VP
   * SDE take T / N, for a step that is longer than the time that is left adds noise.
   */
  eps?: number;
  /** What the network is told of a time: sde.conditionAt unless told; sde.labelAt if it was trained on the chain. */
  condition?: (t: number) => number;
  /**
   * Puts into x, in place, what is known of the samples: called at each time after the corrector's steps and again after
   * the predictor's, even where one of them is "none", with p(x_t | x_0) at that time and a new z ~ N(0, I) of x's
   * shape. It is part of the recorded step.
   */
  hold?: (x: Tensor, marginal: Marginal<ScalarLike>, z: Tensor) => void;
}

export interface PredictorCorrectorStep extends ChainStep {
  /** The time of the newest step. */
  readonly t: number;
  /** Evaluations of the score so far, for each sample. */
  readonly nfe: number;
}

/** All numbers of a run, in float64. */
export interface Plan {
  readonly correctorSteps: number;
  /** What the corrector's step sizes are counted in. */
  readonly unit: Corrector["unit"];
  readonly predicts: boolean;
  readonly times: readonly {
    readonly t: number;
    readonly condition: number;
    readonly marginal: Marginal<number>;
    readonly correct: Step;
    readonly predict: Step;
  }[];
}

const still: Step = { keep: 1, pull: 0, noise: 0 };

/** Throws UsageError for options out of range and for pairings that do not exist. */
export function planOf(options: PredictorCorrectorOptions): Plan {
  const { sde, snr = 0.16, denoise = true, probabilityFlow = false, eps = sde.samplingEps } = options;
  const { condition = sde.conditionAt } = options;
  const { predictor, corrector, correctorSteps } = requireOptions(options);
  const grid = timeGrid(sde, eps);
  const times = grid.map((t, i) => {
    const e = corrector?.stepSize(sde, t, snr) ?? 0;
    const predict = predictor?.(sde, t, { probabilityFlow }) ?? still;
    requireNumbers(t, { "the corrector's stepSize": e, ...predict });
    return {
      t,
      condition: condition(t),
      marginal: sde.marginalAt(t),
      correct: { keep: 1, pull: e, noise: Math.sqrt(2 * e) },
      predict: denoise && i === grid.length - 1 ? { ...predict, noise: 0 } : predict,
    };
  });
  return { correctorSteps, unit: corrector?.unit ?? "one", predicts: predictor !== undefined, times };
}

const who = "predictorCorrector";

/** Throws UsageError where a step at time t is none: one's own may be so. */
function requireNumbers(t: number, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isFinite(value))
      throw new UsageError(`${who}: got ${name} ${value} at time ${t}, expected a finite number`);
}

function requireOptions(options: PredictorCorrectorOptions) {
  const { snr = 0.16, snrOver = "batch", correctorSteps = 1, sampleOffset = 0 } = options;
  const predictor = named<Predictor>("predictor", predictors, options.predictor ?? "reverse_diffusion");
  const corrector = named<Corrector>("corrector", correctors, options.corrector ?? "langevin");
  if (!predictor && !corrector)
    throw new UsageError(`${who}: got neither predictor nor corrector, expected at least one`);
  requirePositive(who, { snr });
  if (snrOver !== "batch" && snrOver !== "sample")
    throw new UsageError(`${who}: got snrOver ${snrOver}, expected batch or sample`);
  requireWhole(who, { correctorSteps }, 1);
  requireWhole(who, { sampleOffset }, 0);
  return { predictor, corrector, correctorSteps: corrector ? correctorSteps : 0 };
}

/** One of the registry's by its name, or the caller's own. */
function named<T extends object>(
  what: string,
  registry: Readonly<Record<string, T | undefined>>,
  given: string | T,
): T | undefined {
  if (typeof given === "function" || typeof given === "object") return given;
  if (!Object.hasOwn(registry, given))
    throw new UsageError(`${who}: got ${what} ${given}, ${expectedOneOf(given, Object.keys(registry))}`);
  return registry[given];
}
