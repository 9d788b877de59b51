import type { Engine } from "../../engine/engine.ts";
import type { ScoreNet } from "../../models/index.ts";
import type { Config } from "../config.ts";
import { Progress } from "../progress.ts";
import { drawSamples } from "../sampler.ts";
import type { Shape } from "./image-list.ts";

export interface DrawnSet {
  /** [n, c, h, w] in [0, 1]. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** Evaluations of the score for each image, the most of all batches. */
  readonly nfe: number;
}

/** Draws config.sampling.count images, `batch` at a time, with progress over all of them. */
export async function drawSet(
  engine: Engine,
  network: ScoreNet<"score" | "eps">,
  config: Config,
  [c, h, w]: Shape,
  batch: number,
): Promise<DrawnSet> {
  const { count } = config.sampling;
  const pixels = new Float32Array(count * c * h * w);
  const progress = count > batch ? new Progress("drawing images", count) : undefined;
  let nfe = 0;
  for (let first = 0; first < count; first += batch) {
    progress?.update(first);
    const sampling = { ...config.sampling, count: Math.min(batch, count - first) };
    const drawn = await drawSamples(engine, network, { ...config, sampling } as Config, {
      ...{ size: { c, h, w }, animate: false, offset: first },
    });
    pixels.set(drawn.samples, first * c * h * w);
    nfe = Math.max(nfe, drawn.nfe);
  }
  progress?.update(count);
  return { pixels, nfe };
}
