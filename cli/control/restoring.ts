import type { Engine } from "../../engine/engine.ts";
import { sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ScoreFunction, solveInverse } from "../../samplers/index.ts";
import { type Request, samplesOf, seenBy } from "./completion.ts";
import type { Observation } from "./operator.ts";
import { asPictures, clamped, type Pixels, rangeOf } from "./pixels.ts";
import type { Replacement } from "./replacement.ts";
import { watchChain } from "./watch.ts";

export interface RestoreRequest extends Request {
  readonly observation: Observation;
  readonly sampler: Replacement;
}

export interface Restorations {
  /** [count * n,c,h,w] in grey levels, which may leave [0, 1]. */
  readonly pixels: Pixels;
  /** What was observed as pictures, [count,c,h,w] in grey levels. */
  readonly observed: Pixels;
  /** |A x - y| of the restorations as they were drawn, and as a picture shows them, both in grey levels, mean over all. */
  readonly residual: { readonly drawn: number; readonly shown: number };
  /** |A x - y| / |y| of the restorations as they were drawn, mean over all. */
  readonly relative: number;
}

/** Images of which each has the observation y = A x of a given one, n for each. */
export async function restoreImages(
  engine: Engine,
  score: ScoreFunction,
  request: RestoreRequest,
): Promise<Restorations> {
  const { config, observation, sampler, n, size } = request;
  const { operator } = observation;
  const { shape, sampleOffset } = samplesOf(request);
  using known = seenBy(engine, request);
  using y = computed(engine, () => operator.apply(known));
  using seen = computed(engine, () => observation.picture(y));
  const { x: drawn } = await solveInverse(engine, score, shape, {
    ...{ ...sampler, operator, observed: y, sampleOffset },
    onStep: watchChain(engine, "restoring"),
  });
  using x = drawn;
  const values = (await x.data()) as Pixels;
  const [low, high] = rangeOf(config);
  const perGrey = high - low;
  using shown = engine.untrack(
    engine.tensor(
      clamped(asPictures(values, config)).map((v) => low + perGrey * v),
      shape,
    ),
  );
  const residuals = async (of: Tensor) => {
    using difference = computed(engine, () => sub(operator.apply(of), y));
    return norms(await difference.data(), shape[0]);
  };
  const [ofDrawn, ofShown] = [await residuals(x), await residuals(shown)];
  const ofObserved = norms(await y.data(), shape[0]);
  const each = size.c * size.h * size.w;
  const pictures = asPictures((await seen.data()) as Pixels, config);
  return {
    pixels: asPictures(values, config),
    observed: Float32Array.from({ length: request.given.pixels.length }, (_, i) => {
      const image = Math.floor(i / each);
      return pictures[image * n * each + (i % each)]!;
    }),
    residual: { drawn: mean(ofDrawn) / perGrey, shown: mean(ofShown) / perGrey },
    relative: mean(ofDrawn.map((r, i) => r / ofObserved[i]!)),
  };
}

const computed = (engine: Engine, f: () => Tensor): Tensor =>
  engine.untrack(engine.scope(() => engine.noGrad(f)));

/** Euclidean norms of [n,...]. */
function norms(values: ArrayLike<number>, n: number): number[] {
  const size = values.length / n;
  const squares = new Array<number>(n).fill(0);
  for (let i = 0; i < values.length; i++) squares[Math.floor(i / size)]! += values[i]! ** 2;
  return squares.map(Math.sqrt);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
