import type { Engine } from "../../engine/engine.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { requireConsistent } from "../../samplers/consistent.ts";
import {
  annealedLangevin,
  consistentAnnealing,
  type DdimProcess,
  ddim,
  ddimSteps,
  ddpmChain,
  edm,
  edmSigmas,
  euler,
  heun,
  type Marginal,
  type OdePoint,
  type PredictorCorrectorOptions,
  predictorCorrector,
  rk45,
  type ScoreFunction,
  sampleFlow,
  stepIndex,
  timeGrid,
} from "../../samplers/index.ts";
import { planOf } from "../../samplers/pc-options.ts";
import type { SdeMethod } from "../config/sampling.ts";
import type { AnnealedConfig, Config, SdeConfig } from "../config.ts";
import { sigmasOf } from "../network.ts";
import { conditionOf, sdeOf } from "../score.ts";
import { flowGrid, lastTimeOf, sdeOfFlow } from "./times.ts";

/** Noise that images have in them, and what the network is told of it. */
export interface NoiseLevel extends Marginal<number> {
  readonly told: number;
}

/** How far a batch has come: with its images all that is needed to go on. */
export type Point = Pick<OdePoint, "done"> & Partial<OdePoint>;

/** What is told after each step of a method. */
export interface Moment {
  /** The images as they are now, [n,c,h,w]; read them before the callback returns. */
  readonly x: Tensor;
  readonly point: Point;
  /** How far, of the method's `total`. */
  readonly progress: number;
  /** The noise level, in words. */
  readonly note: string;
  /** The noise that is left in x; undefined where there is none. */
  readonly noise: NoiseLevel | undefined;
}

/** A batch of the images of a seed. */
export interface Batch {
  readonly shape: Shape;
  /** Index of the first image. */
  readonly sampleOffset: number;
  /** Where an earlier call stopped. */
  readonly left?: { readonly start: Tensor; readonly point: Point } | undefined;
  readonly onStep: (moment: Moment) => Promise<void>;
}

/** A sampler with all that a configuration says of it. */
export interface Method {
  /** Steps that a batch takes, or percent of the way where the sampler chooses its steps. */
  readonly total: number;
  readonly unit: "steps" | "%";
  /** Returns the images, the caller's to dispose, and the evaluations of the score for each. */
  draw(engine: Engine, score: ScoreFunction, batch: Batch): Promise<{ x: Tensor; nfe: number }>;
}

/** The sampler that a configuration names. Throws UsageError, before any GPU work, for settings that no sampler takes. */
export const methodOf = (config: Config): Method => (config.sde ? onSde(config) : onLadder(config));

/** What samplers take of a batch. */
const chainOf = ({ sampleOffset, left }: Batch, seed: number) => ({
  seed,
  sampleOffset,
  ...(left && { start: left.start, done: left.point.done }),
});

const short = (value: number): string => String(Number(value.toPrecision(2)));
const sigmaNote = (sigma: number) => `sigma ${short(sigma)}`;

function onLadder(config: AnnealedConfig): Method {
  const { method, stepsPerLevel, epsilon, denoise, prior, seed } = config.sampling;
  const sigmas = sigmasOf(config);
  const noiseAt = (label: number): NoiseLevel | undefined =>
    label < sigmas.length ? { alpha: 1, std: sigmas[label]!, told: label } : undefined;
  if (method === "consistent") {
    requireConsistent("consistentAnnealing", sigmas, epsilon);
    return {
      total: sigmas.length,
      unit: "steps",
      draw: async (engine, score, batch) => ({
        x: await consistentAnnealing(engine, score, batch.shape, {
          ...chainOf(batch, seed),
          sigmas,
          epsilon,
          denoise,
          onStep: ({ x, done, sigma }) =>
            batch.onStep({
              x,
              point: { done },
              progress: done,
              note: sigmaNote(sigma),
              noise: noiseAt(done),
            }),
        }),
        nfe: sigmas.length,
      }),
    };
  }
  const total = sigmas.length * stepsPerLevel;
  return {
    total,
    unit: "steps",
    draw: async (engine, score, batch) => ({
      x: await annealedLangevin(engine, score, batch.shape, {
        ...chainOf(batch, seed),
        sigmas,
        stepsPerLevel,
        epsilon,
        denoise,
        prior,
        onStep: ({ x, done, level, sigma }) =>
          batch.onStep({ x, point: { done }, progress: done, note: sigmaNote(sigma), noise: noiseAt(level) }),
      }),
      nfe: total + (denoise ? 1 : 0),
    }),
  };
}

/** Steps of samplers whose number of steps is not the SDE's, unless told. */
const USUAL_STEPS = 100;

function onSde(config: SdeConfig): Method {
  const { method } = config.sampling;
  const builders: Record<SdeMethod, (config: SdeConfig) => Method> = {
    pc: pairs,
    ode: flow,
    heun: flow,
    euler: flow,
    ddim: implicit,
    edm: karras,
  };
  return builders[method](config);
}

/** Noise by the time: what is left in images at time t, and what is said of it. */
function noiseOf(config: SdeConfig) {
  const [sde, told] = [sdeOf(config), conditionOf(config)];
  const at = (t: number): NoiseLevel => ({ ...sde.marginalAt(t), told: told(t) });
  return { at, note: (t: number) => `t ${short(t)}  ${sigmaNote(sde.marginalAt(t).std)}` };
}

function pairs(config: SdeConfig): Method {
  const { sampling } = config;
  const { predictor, corrector, snr, snrOver, stepsPerLevel, probabilityFlow, denoise, seed } = sampling;
  const sde = sdeOf(config, sampling.steps);
  const eps = lastTimeOf(config, sde);
  const options: PredictorCorrectorOptions = {
    sde,
    eps,
    condition: conditionOf(config),
    predictor,
    corrector,
    snr,
    snrOver,
    correctorSteps: stepsPerLevel,
    probabilityFlow,
    denoise,
    seed,
  };
  planOf(options);
  const times = timeGrid(sde, eps);
  const noise = noiseOf(config);
  const left = (done: number) => times[done] ?? (denoise ? undefined : times.at(-1)!);
  return {
    total: times.length,
    unit: "steps",
    draw: (engine, score, batch) =>
      predictorCorrector(engine, score, batch.shape, {
        ...options,
        ...chainOf(batch, seed),
        onStep: ({ x, done, t }) => {
          const next = left(done);
          return batch.onStep({
            x,
            point: { done },
            progress: done,
            note: noise.note(t),
            noise: next === undefined ? undefined : noise.at(next),
          });
        },
      }),
  };
}

function flow(config: SdeConfig): Method {
  const { method, steps = USUAL_STEPS, temperature, denoise, seed } = config.sampling;
  const sde = sdeOfFlow(config);
  const noise = noiseOf(config);
  const fixed =
    method === "ode" ? undefined : { heun, euler }[method as "heun" | "euler"](flowGrid(sde, steps));
  const percent = (t: number) => Math.floor((100 * (sde.T - t)) / (sde.T - sde.samplingEps));
  return {
    total: fixed ? steps : 100,
    unit: fixed ? "steps" : "%",
    draw: (engine, score, { shape, sampleOffset, left, onStep }) =>
      sampleFlow(engine, score, shape, {
        sde,
        solver: fixed ?? rk45(),
        condition: conditionOf(config),
        temperature,
        denoise,
        seed,
        sampleOffset,
        ...(left && { start: left.start, after: left.point as OdePoint }),
        onStep: ({ x, ...point }) =>
          onStep({
            x,
            point,
            progress: fixed ? point.done : percent(point.t),
            note: `${noise.note(point.t)}  ${point.nfe} evaluations`,
            noise: noise.at(point.t),
          }),
      }),
  };
}

function implicit(config: SdeConfig): Method {
  const { steps = Math.min(USUAL_STEPS, config.sde.numScales), eta, seed } = config.sampling;
  const { sde, condition } = implicitProcess(config);
  ddimSteps({ sde, steps, eta });
  const note = (t: number) => (t === 0 ? "no noise" : `t ${short(t)}  ${sigmaNote(sde.marginalAt(t).std)}`);
  return {
    total: steps,
    unit: "steps",
    draw: async (engine, score, batch) => ({
      x: await ddim(engine, score, batch.shape, {
        ...chainOf(batch, seed),
        sde,
        condition,
        steps,
        eta,
        onStep: ({ x, done, t }) =>
          batch.onStep({
            x,
            point: { done },
            progress: done,
            note: note(t),
            noise: done < steps ? { ...sde.marginalAt(t), told: condition(t) } : undefined,
          }),
      }),
      nfe: steps,
    }),
  };
}

/** The marginals that DDIM steps between: those at any time, or those of the steps that a network was trained on. */
function implicitProcess(config: SdeConfig): { sde: DdimProcess; condition: (t: number) => number } {
  const sde = sdeOf(config);
  if (config.sde.continuous || sde.name === "subvp") return { sde, condition: sde.conditionAt };
  if (sde.name === "vp") return { sde: ddpmChain(sde), condition: (t) => stepIndex(sde, t) };
  const sigmaAt = (t: number) => sde.discreteSigmas[sde.steps - 1 - sde.labelAt(t)]!;
  return {
    sde: { ...sde, marginalAt: (t) => ({ alpha: 1, std: sigmaAt(t) }) },
    condition: sde.labelAt,
  };
}

function karras(config: SdeConfig): Method {
  const { sampling, sde } = config;
  const { steps = USUAL_STEPS, churn, seed } = sampling;
  const { sigmaMin, sigmaMax } = sde as Extract<SdeConfig["sde"], { name: "ve" }>;
  const schedule = { steps, sigmaMin, sigmaMax };
  edmSigmas(schedule);
  return {
    total: steps,
    unit: "steps",
    draw: async (engine, score, batch) => ({
      x: await edm(engine, score, batch.shape, {
        ...chainOf(batch, seed),
        ...schedule,
        ...(churn > 0 && { churn: { amount: churn } }),
        onStep: ({ x, done, sigma }) =>
          batch.onStep({
            x,
            point: { done },
            progress: done,
            note: sigmaNote(sigma),
            noise: sigma > 0 ? { alpha: 1, std: sigma, told: sigma } : undefined,
          }),
      }),
      nfe: 2 * steps - 1,
    }),
  };
}
