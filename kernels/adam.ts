import {
  type Binding,
  type Cost,
  defineKernel,
  type Hardware,
  linearGroups,
  linearMain,
  range,
  threadsFor,
} from "./kernel.ts";
import { forEachVec4InTurn, vec4Groups, vecCounts } from "./lanewise.ts";
import { findTensor, ofTensor } from "./several.ts";

/** What kernels of optimizers differ by. */
export type StepVariant = {
  /** Move the running average of the weights in the same pass. */
  ema: boolean;
  /** Multiply the gradient by clip[0] first; change nothing where that is negative: the gradients were not finite. */
  clip: boolean;
  vecs: number;
};

/** Of an element: running sums and operations. */
type StepWork = { readonly sums: readonly string[]; readonly flops: number };

const costOf = ({ sums, flops }: StepWork, count: number, { ema }: { ema: boolean }): Cost => ({
  bytes: (12 + 8 * sums.length + (ema ? 8 : 0)) * count,
  flops: flops * count,
});

/** What stands before a step. */
const factorOf = ({ clip }: Pick<StepVariant, "clip">): string =>
  clip ? "let factor = clip[0]; if (factor < 0.0) { return; }" : "";

const adamWork: StepWork = { sums: ["m", "v"], flops: 14 };

const adamParams = {
  rate: "f32",
  rootScale: "f32",
  beta1: "f32",
  beta2: "f32",
  gain1: "f32",
  gain2: "f32",
  eps: "f32",
  weightDecay: "f32",
  emaGain: "f32",
} as const;

const adamStep = (v: Pick<StepVariant, "ema" | "clip">): string =>
  `let w = param[i];
        let g = grad[i]${v.clip ? " * factor" : ""} + p.weightDecay * w;
        let m1 = p.beta1 * m[i] + p.gain1 * g;
        let v1 = p.beta2 * v[i] + p.gain2 * g * g;
        let next = w - p.rate * m1 / (sqrt(v1) * p.rootScale + p.eps);
        m[i] = m1;
        v[i] = v1;
        param[i] = next;
        ${v.ema ? "ema[i] = ema[i] - p.emaGain * (ema[i] - next);" : ""}`;

const sgdWork: StepWork = { sums: ["m"], flops: 6 };

const sgdParams = { rate: "f32", momentum: "f32", weightDecay: "f32", emaGain: "f32" } as const;

const sgdStep = (v: Pick<StepVariant, "ema" | "clip">): string =>
  `let w = param[i];
        let m1 = p.momentum * m[i] + grad[i]${v.clip ? " * factor" : ""} + p.weightDecay * w;
        let next = w - p.rate * m1;
        m[i] = m1;
        param[i] = next;
        ${v.ema ? "ema[i] = ema[i] - p.emaGain * (ema[i] - next);" : ""}`;

/** A step of one tensor. */
const single = <P extends string>(
  name: string,
  work: StepWork,
  params: Record<P, "f32">,
  step: (v: StepVariant) => string,
) =>
  defineKernel<string, "count" | P, StepVariant>({
    name,
    bindings: ({ ema, clip }) => ({
      ...{ grad: "read vec4f", param: "read_write vec4f" },
      ...Object.fromEntries([...work.sums, ...(ema ? ["ema"] : [])].map((of) => [of, "read_write vec4f"])),
      ...(clip && { clip: "read f32" }),
    }),
    params: { count: "u32", ...params },
    variants: [true, false].flatMap((ema) =>
      [true, false].flatMap((clip) => vecCounts.map((vecs): StepVariant => ({ ema, clip, vecs }))),
    ),
    main: (v) => forEachVec4InTurn(v.vecs, step(v), factorOf(v)),
    dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
    cost: ({ count }, v) => costOf(work, count, v),
  });

/**
 * Adam (Kingma & Ba 2015) as PyTorch computes it: weight decay added to the gradient, eps outside the root.
 * Bias corrections come from the host in float64: rate = lr / (1 - beta1^t), rootScale = 1 / sqrt(1 - beta2^t); so do
 * gain1 = 1 - beta1, gain2 = 1 - beta2 and emaGain = 1 - the average's decay, of which a float32 1 - 0.999 has lost 1e-5.
 */
export const adam = single("adam", adamWork, adamParams, adamStep);

/** Stochastic gradient descent with momentum as PyTorch computes it: b = momentum b + g, w -= lr b. */
export const sgd = single("sgd", sgdWork, sgdParams, sgdStep);

/** Of several tensors at once: where arrays are bound for `tensors` of them, and the clip's factor once. */
export type SeveralVariant = StepVariant & { tensors: number };

const MOST_TENSORS = 5;
type Count = `count${0 | 1 | 2 | 3 | 4}`;
const counts = range(MOST_TENSORS).map((k) => `count${k}`) as readonly Count[];

/** Tensors that a launch moves, each of so many arrays: small ones take less than a launch. */
export function tensorsOfStep({ maxStorageBuffers = 8 }: Hardware, arrays: number, clip: boolean): number {
  const most = Math.floor((maxStorageBuffers - (clip ? 1 : 0)) / arrays);
  return Math.max(1, Math.min(most, MOST_TENSORS));
}

/** Runs of `vecs` vec4s, each a thread's. */
const runsOf = (count: number, { vecs }: Pick<SeveralVariant, "vecs">): number => Math.ceil(count / 4 / vecs);

/** The same step for one tensor after the other, whose arrays have its number at the end of their names. */
const several = <P extends string>(
  name: string,
  work: StepWork,
  params: Record<P, "f32">,
  step: (v: SeveralVariant) => string,
) =>
  defineKernel<string, Count | P, SeveralVariant>({
    name,
    bindings: ({ ema, clip, tensors }) => {
      const written = ["param", ...work.sums, ...(ema ? ["ema"] : [])];
      const ofEach = range(tensors).flatMap((k): [string, Binding][] => [
        [`grad_${k}`, "read vec4f"],
        ...written.map((array): [string, Binding] => [`${array}_${k}`, "read_write vec4f"]),
      ]);
      return { ...Object.fromEntries(ofEach), ...(clip && { clip: "read f32" as const }) };
    },
    params: { ...(Object.fromEntries(counts.map((c) => [c, "u32"])) as Record<Count, "u32">), ...params },
    variants: [
      { ema: false, clip: false, tensors: 2, vecs: 1 },
      { ema: false, clip: true, tensors: 1, vecs: 8 },
    ],
    main: (v) => `
    ${linearMain(threadsFor(v.vecs))}
      ${findTensor(v.tensors, "thread", 4 * v.vecs)}
      if (thread >= parts) { return; }
      ${factorOf(v)}
      let end = min((own + 1u) * ${v.vecs}u, (count + 3u) / 4u);
      ${ofTensor(
        v.tensors,
        (k) => `
      for (var i = own * ${v.vecs}u; i < end; i++) {
        ${step(v).replace(/\b(grad|param|m|v|ema)\[/g, `$1_${k}[`)}
      }`,
      )}
    }`,
    dispatch: (p, v) =>
      linearGroups(
        counts.reduce((runs, c) => runs + runsOf(p[c], v), 0),
        threadsFor(v.vecs),
      ),
    cost: (p, v) =>
      costOf(
        work,
        counts.reduce((total, c) => total + p[c], 0),
        v,
      ),
  });

export const adamSeveral = several("adam_several", adamWork, adamParams, adamStep);
export const sgdSeveral = several("sgd_several", sgdWork, sgdParams, sgdStep);
