import type { Engine } from "../../engine/engine.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import type { SdeConfig } from "../config.ts";
import { measureBits, summaryOf } from "../control/bits.ts";
import { TOLERANCE } from "../control/flow-options.ts";
import { type Images, pixelsOf } from "./image-list.ts";

export interface BitsReport {
  /** -log2 p(x) / D of images in 256 grey values, the mean over the images: `stein likelihood` has each of them. */
  readonly bitsPerDim: number;
  /** Of the mean, from the differences between images; null for one image. */
  readonly standardError: number | null;
  /** Held-back images. */
  readonly images: number;
  /** Evaluations of the score and its gradient for an image. */
  readonly nfe: number;
  readonly probe: string;
  /** Of the solver. */
  readonly tolerance: number;
  readonly seed: number;
}

/** Bits per dimension of the first `count` images, measured once, as `stein likelihood` does. */
export async function heldBackBits(
  engine: Engine,
  score: ScoreFunction,
  config: SdeConfig,
  images: Images,
  { count, batch, seed }: { count: number; batch: number; seed: number },
): Promise<BitsReport> {
  const given = { pixels: pixelsOf(images, 0, count), count, first: 0, source: "held-back images" };
  const size = { c: images.channels, h: images.height, w: images.width };
  const how = { probe: "rademacher", tolerance: TOLERANCE } as const;
  const request = { config, size, given, seeds: [seed], batch, ...how };
  const { measured, nfe } = await measureBits(engine, score, request);
  const { mean, standardError } = summaryOf(measured);
  return { bitsPerDim: mean, standardError, images: count, nfe, ...how, seed };
}
