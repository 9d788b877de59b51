import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import type { ScoreNet } from "../models/index.ts";
import type { ScoreFunction } from "../samplers/index.ts";
import type { Config } from "./config.ts";
import { asPictures, clamped } from "./control/pixels.ts";
import type { Stop } from "./interrupt.ts";
import { methodOf } from "./sampling/methods.ts";
import type { Drawing } from "./sampling/state.ts";
import { type Keeping, Watch } from "./sampling/watch.ts";
import { scoreOf } from "./score.ts";

export interface Size {
  c: number;
  h: number;
  w: number;
}

export interface SampleRequest {
  readonly size: Size;
  /** Keep pictures of the chain along the way, of the first batch. */
  readonly animate: boolean;
  /** Index of the first image: images a to b of a seed are the same whoever draws them. */
  readonly offset?: number;
  /** Turns the score towards what is wanted of images `from` on of this call, `count` at once. Not for animations. */
  readonly guide?: (score: ScoreFunction, images: { from: number; count: number }) => ScoreFunction;
  /** What an earlier call was kept with: the drawing goes on there, to the bits of one that never stopped. */
  readonly before?: Drawing | undefined;
  /** A signal ends the drawing. */
  readonly stop?: Stop | undefined;
  /** Where to keep what there is, now and then and when a signal comes. */
  readonly keeping?: (Omit<Keeping, "save"> & { readonly save: (drawing: Drawing) => void }) | undefined;
}

export interface Drawn {
  /** [n,c,h,w] in [0, 1]. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** The first batch before, for an animation; its samples last. */
  readonly frames: Float32Array<ArrayBuffer>[];
  /** Of each frame, the images that the network sees in it. */
  readonly denoised?: Float32Array<ArrayBuffer>[];
  /** Evaluations of the score for each image. */
  readonly nfe: number;
}

type Images = Float32Array<ArrayBuffer>;

/**
 * Draws images from a configuration's network by the sampler that its `sampling` section names, a batch after the other,
 * with progress. Throws UsageError when they are not finite, naming what to change, and Interrupted when a signal asked
 * for the end, all being kept that is to be.
 */
export async function drawSamples(
  engine: Engine,
  network: ScoreNet<"score" | "eps">,
  config: Config,
  { size: { c, h, w }, animate, offset = 0, before = nothing, stop, keeping, guide }: SampleRequest,
): Promise<Drawn> {
  const { count, batchSize } = config.sampling;
  const method = methodOf(config);
  const score = scoreOf(network, config);
  const shown = (values: Images) => clamped(asPictures(values, config));
  const values = new Float32Array(count * c * h * w);
  values.set(before.samples);
  let { finished, nfe } = before;
  const drawing = (batch?: Drawing["batch"]): Drawing => {
    const { frames, denoised } = watch;
    return { samples: values, finished, batch, frames, denoised, nfe };
  };
  const watch: Watch = new Watch(
    {
      engine,
      score,
      total: method.total,
      unit: method.unit,
      batches: Math.ceil(count / batchSize),
      animate,
      shown,
      stop,
      keeping: keeping && { ...keeping, save: (batch) => keeping.save(drawing(batch)) },
    },
    before,
  );
  for (let left = before.batch; finished < count; left = undefined) {
    const here = { from: finished, count: Math.min(batchSize, count - finished) };
    const shape = [here.count, c, h, w];
    watch.batch = Math.floor(finished / batchSize);
    const start = left && engine.untrack(engine.tensor(left.x, shape));
    const { x, nfe: evaluations } = await method
      .draw(engine, guide ? guide(score, here) : score, {
        shape,
        sampleOffset: offset + finished,
        left: left && { start: start!, point: left.point },
        onStep: (moment) => watch.step(moment),
      })
      .catch((fault: unknown) => {
        start?.dispose();
        throw fault;
      });
    if (start !== x) start?.dispose();
    const images = (await x.data()) as Images;
    x.dispose();
    if (!images.every(Number.isFinite))
      throw new UsageError(`sample: the images are not finite ${mend(config)}`);
    values.set(images, finished * c * h * w);
    finished += here.count;
    nfe = Math.max(nfe, evaluations);
  }
  const samples = shown(values);
  if (!animate) return { samples, frames: [], nfe };
  const last = samples.slice(0, Math.min(batchSize, count) * c * h * w);
  return { samples, frames: [...watch.frames, last], denoised: [...watch.denoised, last], nfe };
}

const nothing: Drawing = { samples: new Float32Array(0), finished: 0, frames: [], denoised: [], nfe: 0 };

function mend({ sde, sampling }: Config): string {
  if (sampling.method === "consistent") return "by consistent annealing; draw by another --method";
  if (!sde)
    return `with step size ${sampling.epsilon}; lower --epsilon (sampling.epsilon in the configuration)`;
  if (sampling.method === "pc")
    return `with snr ${sampling.snr}; lower --snr (sampling.snr), or take more --steps (sampling.steps)`;
  return sampling.method === "ode"
    ? "by the ODE; draw by another --method"
    : `by ${sampling.method}; take more --steps (sampling.steps)`;
}
