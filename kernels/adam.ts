import { type Binding, defineKernel } from "./kernel.ts";
import { forEachVec4InTurn, vec4Groups, vecCounts } from "./lanewise.ts";

export type AdamVariant = {
  /** Move the running average of the weights in the same pass. */
  ema: boolean;
  /** Multiply the gradient by clip[0] first; change nothing where that is negative: the gradients were not finite. */
  clip: boolean;
  vecs: number;
};

/**
 * Adam (Kingma & Ba 2015) as PyTorch computes it: weight decay added to the gradient, eps outside the root.
 * Bias corrections come from the host in float64: rate = lr / (1 - beta1^t), rootScale = 1 / sqrt(1 - beta2^t); so do
 * gain1 = 1 - beta1, gain2 = 1 - beta2 and emaGain = 1 - the average's decay, of which a float32 1 - 0.999 has lost 1e-5.
 */
export const adam = defineKernel({
  name: "adam",
  bindings: (v: AdamVariant) =>
    ({
      grad: "read vec4f",
      param: "read_write vec4f",
      m: "read_write vec4f",
      v: "read_write vec4f",
      ...(v.ema && { ema: "read_write vec4f" }),
      ...(v.clip && { clip: "read f32" }),
    }) as Record<"grad" | "param" | "m" | "v" | "ema" | "clip", Binding>,
  params: {
    count: "u32",
    rate: "f32",
    rootScale: "f32",
    beta1: "f32",
    beta2: "f32",
    gain1: "f32",
    gain2: "f32",
    eps: "f32",
    weightDecay: "f32",
    emaGain: "f32",
  },
  variants: [true, false].flatMap((ema) =>
    [true, false].flatMap((clip) => vecCounts.map((vecs): AdamVariant => ({ ema, clip, vecs }))),
  ),
  main: (v: AdamVariant) =>
    forEachVec4InTurn(
      v.vecs,
      `${v.clip ? "if (clip[0] < 0.0) { return; }" : ""}
        let w = param[i];
        let g = grad[i]${v.clip ? " * clip[0]" : ""} + p.weightDecay * w;
        let m1 = p.beta1 * m[i] + p.gain1 * g;
        let v1 = p.beta2 * v[i] + p.gain2 * g * g;
        let next = w - p.rate * m1 / (sqrt(v1) * p.rootScale + p.eps);
        m[i] = m1;
        v[i] = v1;
        param[i] = next;
        ${v.ema ? "ema[i] = ema[i] - p.emaGain * (ema[i] - next);" : ""}`,
    ),
  dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
  cost: ({ count }, v) => ({ bytes: (v.ema ? 36 : 28) * count, flops: 14 * count }),
});

export type SgdVariant = { ema: boolean; clip: boolean; vecs: number };

/** Stochastic gradient descent with momentum as PyTorch computes it: b = momentum b + g, w -= lr b. */
export const sgd = defineKernel({
  name: "sgd",
  bindings: (v: SgdVariant) =>
    ({
      grad: "read vec4f",
      param: "read_write vec4f",
      m: "read_write vec4f",
      ...(v.ema && { ema: "read_write vec4f" }),
      ...(v.clip && { clip: "read f32" }),
    }) as Record<"grad" | "param" | "m" | "ema" | "clip", Binding>,
  params: { count: "u32", rate: "f32", momentum: "f32", weightDecay: "f32", emaGain: "f32" },
  variants: [true, false].flatMap((ema) =>
    [true, false].flatMap((clip) => vecCounts.map((vecs): SgdVariant => ({ ema, clip, vecs }))),
  ),
  main: (v: SgdVariant) =>
    forEachVec4InTurn(
      v.vecs,
      `${v.clip ? "if (clip[0] < 0.0) { return; }" : ""}
        let w = param[i];
        let m1 = p.momentum * m[i] + grad[i]${v.clip ? " * clip[0]" : ""} + p.weightDecay * w;
        let next = w - p.rate * m1;
        m[i] = m1;
        param[i] = next;
        ${v.ema ? "ema[i] = ema[i] - p.emaGain * (ema[i] - next);" : ""}`,
    ),
  dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
  cost: ({ count }, v) => ({ bytes: (v.ema ? 28 : 20) * count, flops: 6 * count }),
});
