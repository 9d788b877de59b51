import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { ScoreNet } from "../models/index.ts";
import { annealedLangevin, predictorCorrector, type ScoreFunction, sampleFlow } from "../samplers/index.ts";
import type { AnnealedConfig, Config, SdeConfig } from "./config.ts";
import { sigmasOf } from "./network.ts";
import { Progress } from "./progress.ts";
import { conditionOf, scoreOf, sdeOf } from "./score.ts";

export interface Size {
  c: number;
  h: number;
  w: number;
}

export interface SampleRequest {
  readonly size: Size;
  /** Keep pictures of the chain along the way. */
  readonly animate: boolean;
  /** Index of the first image: images a to b of a seed are the same whoever draws them. */
  readonly offset?: number;
  /** Steps of an SDE's discretisation; as configured unless told. */
  readonly steps?: number | undefined;
  /** Turns the score towards what is wanted of the images. */
  readonly guide?: (score: ScoreFunction) => ScoreFunction;
}

export interface Drawn {
  /** [n,c,h,w] in [0, 1]. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** The chain before, for an animation; the samples last. */
  readonly frames: Float32Array<ArrayBuffer>[];
  /** Evaluations of the score for each image. */
  readonly nfe: number;
}

/** Pictures of an animation. */
const FRAMES = 48;

/**
 * Draws images from a configuration's network by the sampler that its `sampling` section names, with progress. Throws
 * UsageError when they are not finite, naming what to change.
 */
export async function drawSamples(
  engine: Engine,
  network: ScoreNet<"score" | "eps">,
  config: Config,
  request: SampleRequest,
): Promise<Drawn> {
  const { c, h, w } = request.size;
  const shape = [config.sampling.count, c, h, w];
  const { guide = (score) => score } = request;
  const score = guide(scoreOf(network, config));
  const watch = new Watch(engine, request.animate);
  const { x, nfe } = config.sde
    ? await alongSde(engine, score, shape, config, request, watch)
    : await annealed(engine, score, shape, config, request, watch);
  const values = (await x.data()) as Float32Array<ArrayBuffer>;
  x.dispose();
  if (!values.every(Number.isFinite))
    throw new UsageError(`sample: the images are not finite ${mend(config)}`);
  const shown = (pixels: Float32Array<ArrayBuffer>) =>
    pixels.map((v) => Math.min(1, Math.max(0, config.data.centered ? 0.5 * v + 0.5 : v)));
  const samples = shown(values);
  const frames = config.data.centered ? watch.frames.map(shown) : watch.frames;
  return { samples, frames: request.animate ? [...frames, samples] : [], nfe };
}

const mend = (config: Config): string =>
  config.sde
    ? `with snr ${config.sampling.snr}; lower --snr (sampling.snr), or take more --steps (sde.numScales)`
    : `with step size ${config.sampling.epsilon}; lower --epsilon (sampling.epsilon in the configuration)`;

type Sampled = Promise<{ x: Tensor; nfe: number }>;

async function annealed(
  engine: Engine,
  score: ScoreFunction,
  shape: number[],
  config: AnnealedConfig,
  { offset }: SampleRequest,
  watch: Watch,
): Sampled {
  const { count: _, ...sampling } = config.sampling;
  const sigmas = sigmasOf(config);
  const x = await annealedLangevin(engine, score, shape, {
    sigmas,
    ...sampling,
    ...(offset !== undefined && { sampleOffset: offset }),
    onStep: ({ done, total, sigma, x }) => watch.step(x, done, total, `sigma ${sigma.toPrecision(2)}`),
  });
  return { x, nfe: sigmas.length * sampling.stepsPerLevel + (sampling.denoise ? 1 : 0) };
}

function alongSde(
  engine: Engine,
  score: ScoreFunction,
  shape: number[],
  config: SdeConfig,
  { offset = 0, steps }: SampleRequest,
  watch: Watch,
): Sampled {
  const { sampling } = config;
  const { method, predictor, corrector, snr, stepsPerLevel, probabilityFlow, denoise, seed } = sampling;
  const common = {
    sde: sdeOf(config, steps),
    condition: conditionOf(config),
    denoise,
    seed,
    sampleOffset: offset,
  };
  if (method === "ode") {
    const { T, samplingEps } = common.sde;
    const percent = (t: number) => Math.round((100 * (T - t)) / (T - samplingEps));
    return sampleFlow(engine, score, shape, {
      ...common,
      onStep: ({ x, t, nfe }) => watch.step(x, percent(t), 100, `t ${t.toPrecision(2)}, ${nfe} evaluations`),
    });
  }
  return predictorCorrector(engine, score, shape, {
    ...common,
    predictor,
    corrector,
    snr,
    correctorSteps: stepsPerLevel,
    probabilityFlow,
    onStep: ({ x, done, total, t }) => watch.step(x, done, total, `t ${t.toPrecision(2)}`),
  });
}

/** Shows progress and keeps pictures of the chain. */
class Watch {
  readonly frames: Float32Array<ArrayBuffer>[] = [];
  readonly #engine: Engine;
  readonly #animate: boolean;
  #progress: Progress | undefined;

  constructor(engine: Engine, animate: boolean) {
    this.#engine = engine;
    this.#animate = animate;
  }

  async step(x: Tensor, done: number, total: number, note: string): Promise<void> {
    this.#progress ??= new Progress("sampling", total);
    if (this.#animate && done >= (this.frames.length * total) / FRAMES)
      this.frames.push((await x.data()) as Float32Array<ArrayBuffer>);
    else if (done % 4 === 0) await this.#engine.sync(); // else the host runs far ahead of what is shown
    this.#progress.update(done, note);
  }
}
