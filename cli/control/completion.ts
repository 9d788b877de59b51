import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { annealedInpainting, inpaint, type ScoreFunction } from "../../samplers/index.ts";
import type { Config } from "../config.ts";
import type { Size } from "../sampler.ts";
import type { GivenImages } from "./images.ts";
import { asPictures, asSeen, type Pixels, repeated } from "./pixels.ts";
import type { Annealed, Replacement } from "./replacement.ts";
import { watchChain } from "./watch.ts";

/** What all commands draw of which something is known: n samples for each of some images. */
export interface Request {
  readonly config: Config;
  readonly size: Size;
  readonly given: GivenImages;
  /** Samples of each image. */
  readonly n: number;
}

/** The samples of a request, [count * n,c,h,w], and where they begin in their seed. */
export const samplesOf = ({ given, n, size: { c, h, w } }: Request) => ({
  shape: [given.count * n, c, h, w] as const,
  sampleOffset: given.first * n,
});

/** Images of a request as its network sees them, each n times: [count * n,c,h,w]. The caller's to dispose. */
export const seenBy = (engine: Engine, request: Request, pixels = request.given.pixels): Tensor =>
  engine.untrack(
    engine.tensor(
      asSeen(repeated(pixels, request.given.count, request.n), request.config),
      samplesOf(request).shape,
    ),
  );

/** Frees a sampler's images and gives their grey levels, which may leave [0, 1]. */
export async function takePictures(x: Tensor, config: Config): Promise<Pixels> {
  try {
    return asPictures((await x.data()) as Pixels, config);
  } finally {
    x.dispose();
  }
}

export interface CompletionRequest extends Request {
  /** [1,1,h,w]: 1 where pixels are known. */
  readonly mask: Pixels;
  readonly sampler: Replacement | (Annealed & { readonly redraw: "level" | "step" });
}

/**
 * Completions of images of which the pixels of a mask are known, [count * n,c,h,w] in grey levels, the known ones as they
 * were given: on an SDE by predictor-corrector sampling, on a ladder by annealed Langevin dynamics.
 */
export async function complete(
  engine: Engine,
  score: ScoreFunction,
  request: CompletionRequest,
): Promise<Pixels> {
  const { config, mask, given, n, size } = request;
  const pixels = await takePictures(await draw(engine, score, request), config);
  const known = repeated(given.pixels, given.count, n);
  const area = size.h * size.w;
  return pixels.map((value, i) => (mask[i % area] === 1 ? known[i]! : value)); // beyond float32, in which networks see them
}

async function draw(engine: Engine, score: ScoreFunction, request: CompletionRequest): Promise<Tensor> {
  const { sampler, size } = request;
  const { shape, sampleOffset } = samplesOf(request);
  using known = seenBy(engine, request);
  using mask = engine.untrack(engine.tensor(request.mask, [1, 1, size.h, size.w]));
  const common = { known, mask, sampleOffset, onStep: watchChain(engine, "inpainting") };
  if ("sde" in sampler) return (await inpaint(engine, score, shape, { ...sampler, ...common })).x;
  return await annealedInpainting(engine, score, shape, { ...sampler, ...common });
}
