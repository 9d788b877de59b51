import { meet, sumOf } from "./folds.ts";
import { defineKernel, type Hardware, linearMain } from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { realLanes } from "./square-sums.ts";

export type ClipFactorVariant = {
  /** Of one number, or of several that a workgroup adds up: on a GPU a launch takes longer than that. */
  of: "one" | "several";
};

const THREADS = 256;
/** With more of them a launch of many workgroups is worth its while. */
const SEVERAL = 16_384;

export const clipFactorVariant = ({ kind }: Hardware, count: number): ClipFactorVariant => ({
  of: kind === "gpu" && count <= SEVERAL ? "several" : "one",
});

const factorOf = (squares: string) => `
      let norm = sqrt(${squares});
      factor[0] = select(-1.0, min(1.0, p.maxNorm / (norm + 1e-6)), is_finite(${squares}));
      factor[1] = norm;`;

/**
 * What the optimizers multiply gradients by: min(1, maxNorm / (norm + 1e-6)), as torch's clip_grad_norm_, where norm is
 * the root of the sum of `count` squares, or of the one; -1 when the norm is not finite, which tells them to leave the
 * weights alone.
 */
export const clipFactor = defineKernel({
  name: "clip_factor",
  bindings: ({ of }: ClipFactorVariant) =>
    ({ squares: of === "one" ? "read f32" : "read vec4f", factor: "read_write f32" }) as const,
  params: { count: "u32", maxNorm: "f32" },
  lib: [bits, realLanes, sumOf(true)],
  variants: [{ of: "one" }, { of: "several" }] as ClipFactorVariant[],
  main: ({ of }) => (of === "one" ? ofOne : ofSeveral),
  dispatch: () => [1, 1, 1],
  cost: ({ count }) => ({ bytes: 4 * count + 8, flops: count + 2 }),
});

const ofOne = `
    @compute @workgroup_size(1)
    fn main() {${factorOf("squares[0]")}
    }`;

const ofSeveral = `
    var<workgroup> part: array<f32, ${THREADS}>;
    ${linearMain(THREADS)}
      var totals = vec4f();
      for (var i = thread; i < (p.count + 3u) / 4u; i += ${THREADS}u) { totals += real(squares[i], i, p.count); }
      var total = sum(totals);
      ${meet({ by: "group" }, "total", "sum", THREADS)}
      if (lane == 0u) {${factorOf("total")}
      }
    }`;
