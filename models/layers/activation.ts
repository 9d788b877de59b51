import type { NormOptions } from "../../engine/ops/index.ts";
import { elu, leakyRelu, relu, silu } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireOneOf } from "../require.ts";

/** As the official configurations name them; lrelu has slope 0.2. */
export const activationNames = ["elu", "relu", "lrelu", "swish"] as const;
export type ActivationName = (typeof activationNames)[number];

const LRELU_SLOPE = 0.2;

/** act(x), any shape. */
export function activation(x: Tensor, name: ActivationName): Tensor {
  switch (name) {
    case "elu":
      return elu(x);
    case "relu":
      return relu(x);
    case "lrelu":
      return leakyRelu(x, LRELU_SLOPE);
    case "swish":
      return silu(x);
  }
}

/** The same for a norm that applies it in its kernel. */
export function fused(name: ActivationName | undefined): Pick<NormOptions, "activation" | "slope"> {
  if (name === undefined) return {};
  if (name === "swish") return { activation: "silu" };
  return name === "lrelu" ? { activation: "leakyRelu", slope: LRELU_SLOPE } : { activation: name };
}

/** Throws UsageError unless `name` is an activation. */
export const requireActivation = (who: string, name: string): ActivationName =>
  requireOneOf(who, "activation", name, activationNames);
