import type { Engine } from "../../engine/engine.ts";
import { colorize, type ScoreFunction } from "../../samplers/index.ts";
import { type Request, samplesOf, takePictures } from "./completion.ts";
import { asSeen, type Pixels, repeated } from "./pixels.ts";
import type { Replacement } from "./replacement.ts";
import { watchChain } from "./watch.ts";

/** The mean of red, green and blue of images [count,3,h,w]: [count,1,h,w]. */
export function greyOf(pixels: Pixels, count: number): Pixels {
  const area = pixels.length / (3 * count);
  return Float32Array.from({ length: count * area }, (_, i) => {
    const at = 3 * area * Math.floor(i / area) + (i % area);
    return (pixels[at]! + pixels[at + area]! + pixels[at + 2 * area]!) / 3;
  });
}

export interface ColorRequest extends Request {
  /** [count,1,h,w] */
  readonly grey: Pixels;
  readonly sampler: Replacement;
}

/** Colorings of grey images, n of each: [count * n,3,h,w] in grey levels, which may leave [0, 1]. */
export async function drawColors(
  engine: Engine,
  score: ScoreFunction,
  request: ColorRequest,
): Promise<Pixels> {
  const { config, given, n, size, sampler } = request;
  const { shape, sampleOffset } = samplesOf(request);
  using grey = engine.untrack(
    engine.tensor(asSeen(repeated(request.grey, given.count, n), config), [shape[0], 1, size.h, size.w]),
  );
  const onStep = watchChain(engine, "colorizing");
  const { x } = await colorize(engine, score, shape, { ...sampler, gray: grey, sampleOffset, onStep });
  return takePictures(x, config);
}
