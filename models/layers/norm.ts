import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import type { ActivationName } from "./activation.ts";

/** What a norm is given beside x. */
export interface NormInput {
  /** Noise level of each sample [n] (i32). Conditional norms need it, the others ignore it. */
  readonly labels?: Tensor;
  /** Applied to the result, in the same kernel where there is one. */
  readonly act?: ActivationName;
}

/** x [n,c,h,w] -> the same shape. */
export abstract class Norm extends Module<[x: Tensor, input?: NormInput], Tensor> {}

/** Builds the norm of a block for so many channels. */
export type MakeNorm = (init: Init, channels: number) => Norm;
