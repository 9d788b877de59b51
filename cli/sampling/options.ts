import { UsageError } from "../../engine/errors.ts";
import { samplingDisagreement } from "../config/agreement.ts";
import {
  type correctorNames,
  ladderMethods,
  type Method,
  type predictorNames,
  sdeMethods,
  type snrRules,
} from "../config/sampling.ts";
import type { Config } from "../config.ts";
import { flagOf, type Span } from "../options.ts";
import type { Identity } from "./state.ts";

/** What images are asked for and how they are drawn, as typed. */
export interface DrawOptions {
  n?: number;
  range?: Span;
  batch?: number;
  seed?: number;
  method?: Method;
  steps?: number;
  /** false where it was declined. */
  denoise?: boolean;
  epsilon?: number;
  predictor?: (typeof predictorNames)[number];
  corrector?: (typeof correctorNames)[number];
  correctorSteps?: number;
  snr?: number;
  snrOver?: (typeof snrRules)[number];
  temperature?: number;
  eta?: number;
  churn?: number;
  raw?: boolean;
  animate?: boolean;
  npz?: boolean;
}

/** Options that only some methods take, and which do. */
const takenBy = {
  steps: ["annealed", "pc", "heun", "euler", "ddim", "edm"],
  denoise: ["annealed", "consistent", "pc", "ode", "heun", "euler"],
  epsilon: ["annealed", "consistent"],
  predictor: ["pc"],
  corrector: ["pc"],
  correctorSteps: ["pc"],
  snr: ["pc"],
  snrOver: ["pc"],
  temperature: ["ode", "heun", "euler"],
  eta: ["ddim"],
  churn: ["edm"],
} as const satisfies Partial<Record<keyof DrawOptions, readonly Method[]>>;

type Special = keyof typeof takenBy;

/** As it is typed. */
const typed = (name: Special): string => flagOf(name === "denoise" ? "noDenoise" : name);

/**
 * What was asked for goes before what the configuration says. Throws UsageError for options of other samplers and for
 * those that do not go together; `who` begins its message.
 */
export function applyOptions(who: string, config: Config, options: DrawOptions): void {
  const { n, range, batch, seed } = options;
  if (n !== undefined && range) throw new UsageError(`${who}: got --n and --range, expected one of them`);
  applyMethod(who, config, options.method);
  const sampling: Record<string, unknown> = config.sampling;
  for (const name of Object.keys(takenBy) as Special[]) {
    const value = options[name];
    if (value === undefined) continue;
    requireTaken(who, config, name);
    sampling[keyOf(name, config)] = value;
  }
  requireCorrector(who, config, options);
  const count = range ? range[1] - range[0] : n;
  if (count !== undefined) config.sampling.count = count;
  if (batch !== undefined) config.sampling.batchSize = batch;
  if (seed !== undefined) config.sampling.seed = seed;
  const wrong = samplingDisagreement(config);
  if (wrong) throw new UsageError(`${who}: ${wrong}`);
  if (range) requireSplittable(who, config);
}

/** The key of the sampling section that an option stands for. */
function keyOf(name: Special, { sde }: Config): string {
  if (name === "correctorSteps") return "stepsPerLevel";
  return name === "steps" && !sde ? "stepsPerLevel" : name;
}

/** Of what use would the settings of a corrector be where there is none? */
function requireCorrector(who: string, { sde, sampling }: Config, options: DrawOptions): void {
  if (!sde || sampling.method !== "pc" || sampling.corrector !== "none") return;
  const given = (["correctorSteps", "snr", "snrOver"] as const).find((name) => options[name] !== undefined);
  if (given)
    throw new UsageError(
      `${who}: got ${flagOf(given)} without a corrector, expected one; give --corrector langevin or ald, or leave it out`,
    );
}

function applyMethod(who: string, config: Config, method: Method | undefined): void {
  if (method === undefined) return;
  const known: readonly Method[] = config.sde ? sdeMethods : ladderMethods;
  if (!known.includes(method))
    throw new UsageError(
      `${who}: got --method ${method}, which is for networks ${kind(!config.sde)}, expected one of ${known.join(", ")}`,
    );
  config.sampling.method = method as never;
}

const kind = (sde: boolean): string => (sde ? "on an SDE" : "on a ladder of noise scales");

function requireTaken(who: string, config: Config, name: Special): void {
  const method = config.sampling.method as Method;
  const takers: readonly Method[] = takenBy[name];
  if (takers.includes(method)) return;
  const ours = takers.filter((m) => (config.sde ? sdeMethods : ladderMethods).some((known) => known === m));
  throw new UsageError(
    ours.length === 0
      ? `${who}: got ${typed(name)}, which is for networks ${kind(!config.sde)}; leave it out`
      : `${who}: got ${typed(name)} with method ${method}, expected it with ${ours.join(", ")}; leave it out${who === "sample" ? ", or give --method" : ""}`,
  );
}

/** Images of a range are to be those that other processes would draw, whatever the ranges. */
function requireSplittable(who: string, { sde, sampling }: Config): void {
  if (!sde) return;
  if (sampling.method === "ode" && sampling.batchSize > 1)
    throw new UsageError(
      `${who}: got --range with method ode, which chooses its steps for a whole batch; ` +
        "take --batch 1, or fixed steps by --method heun",
    );
  if (sampling.method === "pc" && sampling.corrector === "langevin" && sampling.snrOver === "batch")
    throw new UsageError(
      `${who}: got --range with snrOver batch, by which images depend on their batch; take --snr-over sample`,
    );
}

/** Options of a drawing that was kept, and over them those that are given when it goes on. */
export function mergeOptions(before: DrawOptions, given: DrawOptions): DrawOptions {
  const kept = { ...before };
  if (given.n !== undefined) delete kept.range;
  if (given.range) delete kept.n;
  return { ...kept, ...given };
}

/** All that the images depend on. weights: a hash of the network's values. */
export function identityOf(
  config: Config,
  { range, animate }: DrawOptions,
  { weights, image }: { weights: string; image: readonly number[] },
): Identity {
  const { model, sigmas, sde, data, sampling } = config;
  return {
    weights,
    image,
    model,
    noise: sde ?? sigmas,
    centered: data.centered ?? false,
    ...sampling,
    first: range?.[0] ?? 0,
    animate: animate ?? false,
  };
}
