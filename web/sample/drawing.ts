import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { combine } from "../../engine/ops/index.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { requireConsistent } from "../../samplers/consistent.ts";
import {
  annealedInpainting,
  annealedLangevin,
  asScore,
  consistentAnnealing,
  type SamplerStep,
  type ScoreFunction,
} from "../../samplers/index.ts";
import type { Trained } from "./network.ts";

export type MethodName = "annealed" | "consistent";

/** What is to be drawn. */
export interface Settings {
  readonly method: MethodName;
  readonly count: number;
  /** Langevin steps at each noise scale; "consistent" takes one. */
  readonly stepsPerLevel: number;
  readonly epsilon: number;
  readonly seed: number;
  readonly denoise: boolean;
  /** An image of which something is known, for annealed Langevin dynamics alone. */
  readonly given?: Given | undefined;
}

export interface Given {
  /** [c,h,w] in [0, 1]. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** [h,w]: 1 where pixels are known, 0 where they are to be drawn. */
  readonly known: Float32Array<ArrayBuffer>;
}

/** A chain on its way. */
export interface Moment {
  /** The images as they are, [n,c,h,w]. */
  readonly x: Float32Array;
  /** What the network saw in them in the step that was taken: the mean of the clean images, x + sigma^2 score. */
  readonly seen: Float32Array;
  readonly done: number;
  readonly total: number;
  readonly level: number;
  readonly sigma: number;
}

export interface Watching {
  /** Ends the drawing with its reason, after the step at hand. */
  readonly signal: AbortSignal;
  /** Told after each step. `look` reads the images back. */
  readonly onStep: (
    step: Omit<SamplerStep, "x">,
    look: () => Promise<Pick<Moment, "x" | "seen">>,
  ) => Promise<void>;
}

/**
 * Draws images, waiting for the device after each step, so that the page and its Stop button stay awake whatever the
 * device. Returns their values [n,c,h,w]. Throws UsageError for settings that the sampler refuses and for images that
 * are not finite.
 */
export async function draw(
  { engine, score, sigmas, image }: Trained,
  settings: Settings,
  { signal, onStep }: Watching,
): Promise<Float32Array> {
  const shape = [settings.count, ...image];
  using glance = new Glance(engine, score, shape);
  const after = async (step: SamplerStep) => {
    let looked = false;
    await onStep(step, () => {
      looked = true;
      return glance.read(step.x);
    });
    if (!looked) await engine.sync(); // one wait a step, not two: in Firefox each takes up to 100 ms
    signal.throwIfAborted();
    glance.sigma = sigmas[levelOf(settings, step.done, sigmas.length)]!;
  };
  glance.sigma = sigmas[0]!;
  using x = await sample(engine, glance.score, shape, { ...settings, sigmas, onStep: after });
  const values = (await x.data()) as Float32Array;
  if (!values.every(Number.isFinite))
    throw new UsageError(
      `sample: the images are not finite with step size ${settings.epsilon}, expected one of about 2e-5; lower it`,
    );
  return values;
}

/** Throws UsageError, before any work, for settings that the samplers refuse together. */
export function requireSettings({ method, epsilon }: Settings, sigmas: readonly number[]): void {
  if (method === "consistent") requireConsistent("consistent annealed sampling", sigmas, epsilon);
}

/** How many steps a drawing takes. */
export const totalSteps = ({ method, stepsPerLevel }: Settings, levels: number): number =>
  method === "consistent" ? levels : levels * stepsPerLevel;

/** The level of the step that comes after so many; the last one's at the end. */
function levelOf(settings: Settings, done: number, levels: number): number {
  const perLevel = totalSteps(settings, levels) / levels;
  return Math.min(levels - 1, Math.floor(done / perLevel));
}

type Run = Settings & {
  readonly sigmas: readonly number[];
  readonly onStep: (step: SamplerStep) => Promise<void>;
};

async function sample(engine: Engine, score: ScoreFunction, shape: Shape, run: Run): Promise<Tensor> {
  const { method, given, ...options } = run;
  if (method === "consistent") return consistentAnnealing(engine, score, shape, options);
  const prior = "normal"; // a network this small does not lose its way from there
  if (!given) return annealedLangevin(engine, score, shape, { ...options, prior });
  const [, c, h, w] = shape as [number, number, number, number];
  using known = engine.untrack(engine.tensor(given.pixels, [1, c, h, w]));
  using mask = engine.untrack(engine.tensor(given.known, [1, 1, h, w]));
  return await annealedInpainting(engine, score, shape, { ...options, known, mask, prior });
}

/**
 * Keeps what the score of each step says of the clean images, by Tweedie's formula (Efron 2011): the very evaluation that
 * the step makes, so that looking costs two small kernels and does not touch the chain.
 */
class Glance {
  readonly score: ScoreFunction;
  readonly #variance = new Scalar(0);
  readonly #seen: Tensor;

  constructor(engine: Engine, score: ScoreFunction, shape: Shape) {
    this.#seen = engine.untrack(engine.zeros(shape));
    this.score = asScore((x, labels) => {
      const slope = score(x, labels);
      engine.copy(combine(x, [[this.#variance, slope]]), this.#seen);
      return slope;
    });
  }

  /** Of the step that comes next. */
  set sigma(value: number) {
    this.#variance.value = value ** 2;
  }

  async read(x: Tensor): Promise<Pick<Moment, "x" | "seen">> {
    const [images, seen] = await x.engine.readAll([x, this.#seen]);
    return { x: images as Float32Array, seen: seen as Float32Array };
  }

  [Symbol.dispose](): void {
    this.#seen.dispose();
  }
}
