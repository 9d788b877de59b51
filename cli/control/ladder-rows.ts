import type { Engine } from "../../engine/engine.ts";
import { annealedInterpolation, type ScoreFunction } from "../../samplers/index.ts";
import type { AnnealedConfig } from "../config.ts";
import type { Size } from "../sampler.ts";
import { takePictures } from "./completion.ts";
import type { Interpolations } from "./latents.ts";
import type { Annealed } from "./replacement.ts";
import { watchChain } from "./watch.ts";

/** Rows of images of which neighbours share most of their noise, by annealed Langevin dynamics on a ladder. */
export async function ladderRows(
  engine: Engine,
  score: ScoreFunction,
  {
    config,
    size: { c, h, w },
    sampler,
    rows,
    steps,
  }: {
    config: AnnealedConfig;
    size: Size;
    sampler: Annealed & { readonly nfe: number };
    rows: number;
    steps: number;
  },
): Promise<Interpolations> {
  const x = await annealedInterpolation(engine, score, [rows, c, h, w], {
    ...sampler,
    interpolations: steps,
    onStep: watchChain(engine, "interpolating"),
  });
  return { pixels: await takePictures(x, config), nfe: sampler.nfe };
}
