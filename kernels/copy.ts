import { axisParams, MAX_RANK } from "./binary.ts";
import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";

export type CopyVariant = { rank: number };

/**
 * y[yStart + sum idx * t] = x[xStart + sum idx * s] over up to six axes: permute, slice, broadcast, flip
 * (negative steps wrap in u32), concatenate and pad are all this walk. Element bits are copied as they are.
 */
export const stridedCopy = defineKernel({
  name: "strided_copy",
  bindings: { x: "read u32", y: "read_write u32" },
  params: {
    count: "u32",
    xStart: "u32",
    yStart: "u32",
    ...axisParams("d"),
    ...axisParams("s"),
    ...axisParams("t"),
  },
  variants: range(MAX_RANK).map((r): CopyVariant => ({ rank: r + 1 })),
  main: (v: CopyVariant) => `
    ${linearMain(64)}
      if (thread >= p.count) { return; }
      var rest = thread;
      var i = p.xStart;
      var j = p.yStart;
      var at = 0u;
      ${unroll(v.rank, (k) => {
        const axis = v.rank - 1 - k;
        const split = axis === 0 ? "at = rest;" : `at = rest % p.d${axis}; rest = rest / p.d${axis};`;
        return `${split} i += at * p.s${axis}; j += at * p.t${axis};`;
      })}
      y[j] = x[i];
    }`,
  dispatch: ({ count }) => linearGroups(count, 64),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 0 }),
});
