import { meet, once, sumOf } from "./folds.ts";
import { defineKernel, type Hardware, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { realLanes } from "./square-sums.ts";

export type ClipFactorVariant = {
  /** Who adds up the squares: a workgroup, or for CPU drivers, where barriers are dear, a thread. */
  by: "group" | "thread";
};

const THREADS = 256;
/** Of more squares a launch for their sum alone is worth its while. */
const MOST = { group: 16_384, thread: 2048 } as const;

export const clipFactorVariant = ({ kind }: Hardware): ClipFactorVariant => ({
  by: kind === "gpu" ? "group" : "thread",
});

/** Whether a variant had better get the sum of so many squares than the squares. */
export const wantsSum = ({ by }: ClipFactorVariant, count: number): boolean => count > MOST[by];

const factorOf = `
      let norm = sqrt(total);
      factor[0] = select(-1.0, min(1.0, p.maxNorm / (norm + 1e-6)), is_finite(total));
      factor[1] = norm;`;

/**
 * What the optimizers multiply gradients by: min(1, maxNorm / (norm + 1e-6)), as torch's clip_grad_norm_, where norm is
 * the root of the sum of `count` squares; -1 when the norm is not finite, which tells them to leave the
 * weights alone.
 */
export const clipFactor = defineKernel({
  name: "clip_factor",
  bindings: { squares: "read vec4f", factor: "read_write f32" },
  params: { count: "u32", maxNorm: "f32" },
  lib: [bits, realLanes, sumOf(true)],
  variants: [{ by: "thread" }, { by: "group" }] as ClipFactorVariant[],
  main: ({ by }) => `
    ${by === "group" ? `var<workgroup> part: array<f32, ${THREADS}>;` : ""}
    ${linearMain(by === "group" ? THREADS : 1)}
      var totals = vec4f();
      for (var i = thread; i < (p.count + 3u) / 4u; i += ${by === "group" ? THREADS : 1}u) { totals += real(squares[i], i, p.count); }
      var total = sum(totals);
      ${meet({ by }, "total", "sum", THREADS)}
      ${once({ by }, factorOf)}
    }`,
  dispatch: () => [1, 1, 1],
  cost: ({ count }) => ({ bytes: 4 * count + 8, flops: count + 2 }),
});
