import { lanewise } from "./folds.ts";
import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { bits, exp, log } from "./lib/math.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

/*
 * Attention with its weights in memory: what stands between the matrix products. Both kernels work in place, on products
 * of queries and keys that lie the way the next matrix product reads them in order.
 *
 *   attentionWeights   k_j . q_i  [batch, s, t] -> P_ij and lse_i: a query's weights stand below each other
 *   attentionSlopes    q_i . k_j  and  dy_i . v_j  [batch, t, s] -> P_ij, by the saved lse_i, and scale dS_ij
 */

export type AttentionWeightsVariant = {
  /** Threads that share a query's keys and meet in workgroup memory; 1 on CPU drivers, where barriers are dear. */
  slices: number;
  /** Four queries a thread: their number is a multiple of 4. */
  vec: boolean;
};

/** Queries, or fours of them, side by side in a workgroup. */
const ACROSS = 32;

/** WGSL: joins the values of the variable `name` that the slices of a query hold; all threads come along. */
const meets = ({ slices }: AttentionWeightsVariant, name: string, join: (other: string) => string) =>
  slices === 1
    ? ""
    : `
      workgroupBarrier();
      part[lane] = ${name};
      workgroupBarrier();
      ${name} = part[across];
      ${unroll(slices - 1, (q) => `${name} = ${join(`part[across + ${(q + 1) * ACROSS}u]`)};`)}`;

/**
 * x [batch, s, t] = k_j . q_i -> softmax over j of scale x, in place; lse [batch, t] = log sum exp over j of scale x.
 * Shifted by the column's maximum.
 */
export const attentionWeights = defineKernel({
  name: "attention_weights",
  bindings: ({ vec }: AttentionWeightsVariant) =>
    ({ x: `read_write ${elementType(vec)}`, lse: `read_write ${elementType(vec)}` }) as const,
  params: { batch: "u32", t: "u32", s: "u32", scale: "f32" },
  lib: [bits, exp, log],
  variants: [1, 4, 8].flatMap((slices) => [false, true].map((vec) => ({ slices, vec }))),
  main: (v) => {
    const { slices, vec } = v;
    const type = elementType(vec);
    const each = (f: string, of: string) => lanewise(vec, (lane) => `${f}(${of}${lane})`);
    const down = (body: string) =>
      `for (var j = slice; j < p.s; j += ${slices}u) { let i = base + j * length; ${body} }`;
    return `
    ${slices === 1 ? "" : `var<workgroup> part: array<${type}, ${ACROSS * slices}>;`}
    ${linearMain(ACROSS * slices)}
      let length = p.t${vec ? " / 4u" : ""};
      let across = lane % ${ACROSS}u;
      let slice = lane / ${ACROSS}u;
      let own = group * ${ACROSS}u + across;
      let present = own < p.batch * length; // a surplus thread keeps the others company at barriers
      let column = min(own, p.batch * length - 1u);
      let base = (column / length) * length * p.s + column % length;
      var top = ${type}(-3.4028234e38);
      ${down("top = max(top, p.scale * x[i]);")}
      ${meets(v, "top", (other) => `max(top, ${other})`)}
      var total = ${type}();
      ${down(`
        let d = p.scale * x[i] - top;
        let e = ${each("exp_", "d")};
        total += e;
        if (present) { x[i] = e; }`)}
      ${meets(v, "total", (other) => `total + ${other}`)}
      if (present) {
        let share = 1.0 / total;
        ${down("x[i] = x[i] * share;")}
        if (slice == 0u) { lse[column] = top + ${each("log_", "total")}; }
      }
    }`;
  },
  dispatch: ({ batch, t }, { vec }) => linearGroups(batch * Math.ceil(t / (vec ? 4 : 1)), ACROSS),
  cost: ({ batch, t, s }) => ({ bytes: 8 * batch * t * s, flops: 5 * batch * t * s }),
});

/**
 * x = q_i . k_j -> P_ij = exp(scale x - lse_i), and g = dy_i . v_j -> scale P_ij (g - delta_i), the slope of a product;
 * both [batch, t, s], in place, with lse and delta [batch, t].
 */
export const attentionSlopes = defineKernel({
  name: "attention_slopes",
  bindings: ({ vec }: RunVariant) =>
    ({
      x: `read_write ${elementType(vec)}`,
      g: `read_write ${elementType(vec)}`,
      lse: "read f32",
      delta: "read f32",
    }) as const,
  params: { rows: "u32", columns: "u32", scale: "f32" },
  lib: [bits, exp],
  variants: runVariants,
  main: (v) =>
    forEachInRow(v, {
      rows: "p.rows",
      columns: "p.columns",
      once: "let top = lse[row]; let mean = delta[row];",
      body: `
        let d = p.scale * x[at] - top;
        let weight = ${lanewise(v.vec, (lane) => `exp_(d${lane})`)};
        let slope = g[at] - mean;
        x[at] = weight;
        g[at] = p.scale * weight * slope;`,
    }),
  dispatch: ({ rows, columns }, v) => rowGroups(rows, columns, v),
  cost: ({ rows, columns }) => ({ bytes: 16 * rows * columns, flops: 7 * rows * columns }),
});
