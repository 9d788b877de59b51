import type { Engine } from "../../engine/engine.ts";
import { scale } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { decode, encode, rk45, type ScoreFunction, samplePrior, slerp } from "../../samplers/index.ts";
import type { SdeConfig } from "../config.ts";
import type { Size } from "../sampler.ts";
import { sdeOfFlow } from "../sampling/times.ts";
import { conditionOf, sdeOf } from "../score.ts";
import { takePictures } from "./completion.ts";
import type { GivenImages } from "./images.ts";
import { asSeen, type Pixels } from "./pixels.ts";
import { FlowWatch } from "./watch.ts";

interface LatentRequest {
  readonly config: SdeConfig;
  readonly size: Size;
  /** Of the solver: rtol and atol. */
  readonly tolerance: number;
}

export interface RoundTrips {
  /** [count,c,h,w] at time T. */
  readonly latents: Pixels;
  /** What came back, in grey levels. */
  readonly back: Pixels;
  /** Evaluations of the score for an image, the mean over batches, each way. */
  readonly nfe: { readonly up: number; readonly down: number };
}

/** Images to their latents by the probability flow, and back, so many at a time. */
export async function roundTrips(
  engine: Engine,
  score: ScoreFunction,
  request: LatentRequest & { readonly given: GivenImages; readonly batch: number },
): Promise<RoundTrips> {
  const { config, size, given, batch } = request;
  const each = size.c * size.h * size.w;
  const { sde, ...options } = flowOf(request);
  const latents = new Float32Array(given.pixels.length);
  const back = new Float32Array(given.pixels.length);
  const nfe = { up: 0, down: 0 };
  const watch = new FlowWatch("encoding", 2 * Math.ceil(given.count / batch));
  for (let from = 0; from < given.count; from += batch) {
    const count = Math.min(batch, given.count - from);
    using x = seen(engine, request, given.pixels.subarray(from * each, (from + count) * each));
    const up = await encode(score, x, { sde, ...options, onStep: watch.up(sde) });
    using z = up.x;
    latents.set((await z.data()) as Pixels, from * each);
    const down = await decode(score, z, { sde, ...options, onStep: watch.down(sde) });
    back.set(await takePictures(down.x, config), from * each);
    nfe.up += (up.nfe * count) / given.count;
    nfe.down += (down.nfe * count) / given.count;
  }
  return { latents, back, nfe };
}

/** |z| of each latent in units of the prior's root mean square, std sqrt(D): 1 for its draws, give or take 1 / sqrt(2 D). */
export function latentNorms(latents: Pixels, count: number, config: SdeConfig): number[] {
  const size = latents.length / count;
  const { priorStd } = sdeOf(config);
  return Array.from({ length: count }, (_, i) => {
    const squares = latents.subarray(i * size, (i + 1) * size).reduce((sum, v) => sum + v * v, 0);
    return Math.sqrt(squares / size) / priorStd;
  });
}

/** The ends of rows of interpolations: samples of two seeds, or images. */
export type Ends =
  | { readonly seeds: readonly [number, number]; readonly rows: number; readonly temperature: number }
  | { readonly images: readonly [GivenImages, GivenImages] };

export interface Interpolations {
  /** [rows * steps,c,h,w] in grey levels. */
  readonly pixels: Pixels;
  readonly nfe: number;
}

/**
 * Rows of images between two ends: latents along the arc between those of the ends, decoded. Images are encoded first;
 * latents of seeds are drawn as `stein sample` with --method ode draws them, times the temperature.
 */
export async function interpolate(
  engine: Engine,
  score: ScoreFunction,
  request: LatentRequest & { readonly ends: Ends; readonly steps: number },
): Promise<Interpolations> {
  const { config, ends, steps } = request;
  const { sde, ...options } = flowOf(request);
  const watch = new FlowWatch("interpolating", "seeds" in ends ? 1 : 3);
  const found =
    "seeds" in ends ? drawn(engine, request, ends) : await encoded(engine, score, request, ends, watch);
  using a = found.a;
  using b = found.b;
  using z = await arcs(a, b, steps);
  const { x, nfe } = await decode(score, z, {
    ...options,
    sde,
    denoise: "seeds" in ends && config.sampling.denoise,
    onStep: watch.down(sde),
  });
  return { pixels: await takePictures(x, config), nfe: found.nfe + nfe };
}

function drawn(
  engine: Engine,
  { config, size: { c, h, w } }: LatentRequest,
  { seeds, rows, temperature }: Extract<Ends, { seeds: unknown }>,
) {
  const of = (seed: number) =>
    engine.untrack(
      engine.scope(() =>
        scale(samplePrior(engine, sdeOf(config), [rows, c, h, w], { seed, purpose: "prior" }), temperature),
      ),
    );
  return { a: of(seeds[0]), b: of(seeds[1]), nfe: 0 };
}

async function encoded(
  engine: Engine,
  score: ScoreFunction,
  request: LatentRequest,
  { images }: Extract<Ends, { images: unknown }>,
  watch: FlowWatch,
) {
  const { sde, ...options } = flowOf(request);
  const of = async ({ pixels }: GivenImages) => {
    using x = seen(engine, request, pixels);
    return encode(score, x, { ...options, sde, onStep: watch.up(sde) });
  };
  const a = await of(images[0]);
  const b = await of(images[1]);
  return { a: a.x, b: b.x, nfe: a.nfe + b.nfe };
}

/** Latents [rows,...] at both ends to rows between them, [rows * steps,...], row by row; the ends are the first and the last. */
async function arcs(a: Tensor, b: Tensor, steps: number): Promise<Tensor> {
  const [rows] = a.shape as [number];
  const size = a.size / rows;
  const all = new Float32Array(steps * a.size);
  for (let k = 0; k < steps; k++) {
    using z = await slerp(a, b, k / (steps - 1));
    const values = (await z.data()) as Pixels;
    for (let row = 0; row < rows; row++)
      all.set(values.subarray(row * size, (row + 1) * size), (row * steps + k) * size);
  }
  return a.engine.untrack(a.engine.tensor(all, [rows * steps, ...a.shape.slice(1)]));
}

const flowOf = ({ config, tolerance }: LatentRequest) => ({
  sde: sdeOfFlow(config),
  condition: conditionOf(config),
  solver: rk45({ rtol: tolerance, atol: tolerance }),
});

const seen = (engine: Engine, { config, size: { c, h, w } }: LatentRequest, pixels: Pixels): Tensor =>
  engine.untrack(engine.tensor(asSeen(pixels, config), [pixels.length / (c * h * w), c, h, w]));
