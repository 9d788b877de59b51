import { type Command, Option } from "commander";
import { UsageError } from "../../engine/errors.ts";
import type { CorrectorName, PredictorName, Sde } from "../../samplers/index.ts";
import { type PredictorCorrectorOptions, planOf } from "../../samplers/pc-options.ts";
import { correctorNames, predictorNames } from "../config/sampling.ts";
import type { AnnealedConfig, SdeConfig } from "../config.ts";
import { most } from "../limits.ts";
import { sigmasOf } from "../network.ts";
import { positive, wholeFrom } from "../options.ts";
import { lastTimeOf } from "../sampling/times.ts";
import { conditionOf, sdeOf } from "../score.ts";

/** How samples are drawn of which something is known. */
export interface ReplacementOptions {
  seed?: number;
  steps?: number;
  predictor?: (typeof predictorNames)[number];
  corrector?: (typeof correctorNames)[number];
  correctorSteps?: number;
  snr?: number;
}

/** The numbers of a predictor-corrector sampler on an SDE. */
export interface Replacement {
  readonly sde: Sde;
  readonly eps: number;
  readonly condition: (t: number) => number;
  readonly predictor: PredictorName;
  readonly corrector: CorrectorName;
  readonly correctorSteps: number;
  readonly snr: number;
  readonly snrOver: NonNullable<PredictorCorrectorOptions["snrOver"]>;
  readonly probabilityFlow: boolean;
  readonly seed: number;
}

/** The numbers of annealed Langevin dynamics. */
export interface Annealed {
  readonly sigmas: readonly number[];
  readonly stepsPerLevel: number;
  readonly epsilon: number;
  readonly prior: "uniform" | "normal";
  readonly denoise: boolean;
  readonly seed: number;
}

/** Adds the options of a predictor-corrector sampler. */
export const withReplacement = (command: Command, stepsHelp = "steps of the SDE"): Command =>
  command
    .option("--seed <seed>", "one seed gives one set of images", wholeFrom(0, "--seed"))
    .option("--steps <T>", stepsHelp, wholeFrom(1, "--steps", most.steps))
    .addOption(new Option("--predictor <name>", "of an SDE").choices(predictorNames))
    .addOption(
      new Option("--corrector <name>", 'of an SDE; "ald" unless one is configured').choices(correctorNames),
    )
    .option(
      "--corrector-steps <n>",
      "of the corrector at each time: more heed what is known better",
      wholeFrom(1, "--corrector-steps", most.steps),
    )
    .option("--snr <r>", "signal to noise of the corrector", positive("--snr"));

/**
 * What was asked for before what the configuration says. Where it says no corrector there is one all the same, "ald": a
 * predictor alone takes too little notice of what is known. Throws UsageError for what does not go together.
 */
export function replacementOf(
  who: string,
  config: SdeConfig,
  options: ReplacementOptions,
): Replacement & { nfe: number } {
  const { sampling, sde } = config;
  if (!sde.continuous && options.steps !== undefined)
    throw new UsageError(
      `${who}: got --steps ${options.steps} for a network that knows only its ${sde.numScales} steps; leave it out`,
    );
  const on = sdeOf(config, options.steps);
  const replacement = {
    sde: on,
    eps: lastTimeOf(config, on),
    condition: conditionOf(config),
    predictor: options.predictor ?? sampling.predictor,
    corrector: options.corrector ?? (sampling.corrector === "none" ? "ald" : sampling.corrector),
    correctorSteps: options.correctorSteps ?? sampling.stepsPerLevel,
    snr: options.snr ?? sampling.snr,
    snrOver: sampling.snrOver,
    probabilityFlow: sampling.probabilityFlow,
    seed: options.seed ?? sampling.seed,
  };
  const { correctorSteps, predicts, times } = planOf(replacement);
  return { ...replacement, nfe: times.length * (correctorSteps + (predicts ? 1 : 0)) };
}

/** The same for a ladder of noise scales; images end denoised unless told. */
export function annealingOf(
  config: AnnealedConfig,
  {
    seed,
    steps,
    epsilon,
    denoise = true,
  }: { seed?: number; steps?: number; epsilon?: number; denoise?: boolean },
): Annealed & { nfe: number } {
  const { sampling } = config;
  const sigmas = sigmasOf(config);
  const stepsPerLevel = steps ?? sampling.stepsPerLevel;
  return {
    sigmas,
    stepsPerLevel,
    epsilon: epsilon ?? sampling.epsilon,
    prior: sampling.prior,
    denoise,
    seed: seed ?? sampling.seed,
    nfe: sigmas.length * stepsPerLevel + (denoise ? 1 : 0),
  };
}
