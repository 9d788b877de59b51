import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Output, Predictor } from "../../models/prediction.ts";

/**
 * What a training minimises. The step is recorded once and replayed, so that what changes from step to step comes in
 * two ways: by the Scalar in the source of the draws, and by what `feed` writes. Both are functions of (seed, step).
 */
export interface Objective<P extends Output = "score" | "eps"> {
  /** Writes to the device what the host alone knows of a step, before the step is run. */
  feed?(step: number): void;
  /** Images x [n,...] as the network sees them, without noise. -> [] */
  loss(network: Predictor<P>, x: Tensor, source: DrawSource): Tensor;
  dispose?(): void;
}
