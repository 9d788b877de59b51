import {
  type DdimProcess,
  ddim,
  ddimSteps,
  ddpmChain,
  edm,
  edmSigmas,
  euler,
  heun,
  type OdePoint,
  type PredictorCorrectorOptions,
  predictorCorrector,
  rk45,
  sampleFlow,
  stepIndex,
  timeGrid,
} from "../../samplers/index.ts";
import { planOf } from "../../samplers/pc-options.ts";
import type { SdeMethod } from "../config/sampling.ts";
import type { SdeConfig } from "../config.ts";
import { conditionOf, sdeOf } from "../score.ts";
import { chainOf, type Method, type NoiseLevel, short, sigmaNote } from "./method.ts";
import { flowGrid, lastTimeOf, sdeOfFlow } from "./times.ts";

/** Steps of samplers whose number of steps is not the SDE's, unless told. */
const USUAL_STEPS = 100;

/** The sampler of an SDE that a configuration names. Throws UsageError for settings that it does not take. */
export function onSde(config: SdeConfig): Method {
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
