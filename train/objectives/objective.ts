import type { DrawSource } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Output, Predictor } from "../../models/prediction.ts";

/**
 * What a training minimises. The step is recorded once and replayed, so that what changes from step to step comes in
 * two ways: by the Scalars in the source of the draws, and by what `feed` writes. Both are functions of (seed, step,
 * sample): a batch gone through in parts is the same batch.
 */
export interface Objective<P extends Output = "score" | "eps"> {
  /** Writes to the device what the host alone knows of a part of a step's batch, before it is run: see Batches. */
  feed?(step: number, part: number): void;
  /** Images x [n,...] as the network sees them, without noise; a mean over them. -> [] */
  loss(network: Predictor<P>, x: Tensor, source: DrawSource): Tensor;
  /** The loss is made of the network's derivatives: its value alone needs the graph, too. */
  readonly differentiates?: boolean;
  dispose?(): void;
}
