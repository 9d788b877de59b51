import { axisParams, MAX_RANK } from "./binary.ts";
import { defineKernel, range, unroll } from "./kernel.ts";
import { forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

/** Where `vec`, all parameters count in fours. */
type CopyVariant = RunVariant & { rank: number };

/**
 * y[yStart + sum idx * t] = x[xStart + sum idx * s] over up to six axes: permute, slice, broadcast, flip
 * (negative steps wrap in u32), concatenate and pad are all this walk. Element bits are copied as they are.
 */
export const stridedCopy = defineKernel({
  name: "strided_copy",
  bindings: ({ vec }: CopyVariant) =>
    ({ x: vec ? "read vec4u" : "read u32", y: vec ? "read_write vec4u" : "read_write u32" }) as const,
  params: {
    count: "u32",
    xStart: "u32",
    yStart: "u32",
    ...axisParams("d"),
    ...axisParams("s"),
    ...axisParams("t"),
  },
  variants: runVariants.flatMap((v) => range(MAX_RANK).map((r): CopyVariant => ({ rank: r + 1, ...v }))),
  main: ({ rank, run }) => {
    const last = rank - 1;
    return forEachInRow(
      { run },
      {
        rows: `p.count / p.d${last}`,
        columns: `p.d${last}`,
        once: `
      var i = p.xStart + column * p.s${last};
      var j = p.yStart + column * p.t${last};
      var rest = row;
      var place = 0u;
      ${unroll(last, (k) => {
        const axis = last - 1 - k;
        const split = axis === 0 ? "place = rest;" : `place = rest % p.d${axis}; rest = rest / p.d${axis};`;
        return `${split} i += place * p.s${axis}; j += place * p.t${axis};`;
      })}`,
        body: `y[j] = x[i]; i += p.s${last}; j += p.t${last};`,
      },
    );
  },
  dispatch: (p, v) => {
    const columns = p[`d${(v.rank - 1) as 0}`];
    return rowGroups(p.count / columns, columns, { run: v.run });
  },
  cost: ({ count }, { vec }) => ({ bytes: (vec ? 32 : 8) * count, flops: 0 }),
});
