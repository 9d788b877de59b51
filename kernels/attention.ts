import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { bits, exp, log } from "./lib/math.ts";

/*
 * Attention over positions, channel-major as images lie: q [batch, c, t], k [batch, c, s], v [batch, c, s] -> y [batch, c, t],
 * y_i = sum_j softmax_j(scale q_i . k_j) v_j. Nothing of size t x s is stored (Dao et al. 2022): the forward keeps a
 * running maximum and sum and saves their logarithm, the backward recomputes the weights. A thread owns one position;
 * it reads the others' four at a time, at one address for all lanes. Backward in three kernels, without atomics:
 *
 *   attentionDelta       delta_i = dy_i . y_i
 *   attentionGradQuery   a thread for each query:  dq_i = scale sum_j dS_ij k_j,       dS_ij = P_ij (dy_i . v_j - delta_i)
 *   attentionGradKey     a thread for each key:    dv_j = sum_i P_ij dy_i,  dk_j = scale sum_i dS_ij q_i
 */

/**
 * unroll: loops over channels have a constant bound, so that a GPU keeps a position's channels in registers. A
 * software driver would spend minutes on that (230 s for 32 channels), and runs the loops faster as loops.
 */
export type AttentionVariant = { channels: number; unroll: boolean };
const params = { batch: "u32", channels: "u32", t: "u32", s: "u32", scale: "f32" } as const;
const variants: AttentionVariant[] = [
  { channels: 8, unroll: true },
  { channels: 5, unroll: false },
  { channels: 64, unroll: true },
  { channels: 128, unroll: false },
];
/** A loop's bound. */
const allOf = ({ channels, unroll }: AttentionVariant) => (unroll ? `${channels}u` : "p.channels");
const lib = [bits, exp, log];
const WIDTH = 8;

/** One thread for each of `count` positions of each image: `b`, and `at` inside the image. */
const eachPosition = (count: string) => `
    ${linearMain(32)}
      let b = thread / ${count};
      if (b >= p.batch) { return; }
      let at = thread % ${count};`;
/** Names NAME0 .. NAME7 of neighbours first .. first + 7, clamped to the last. */
const neighbours = (count: string) =>
  unroll(WIDTH, (q) => `let n${q} = min(first + ${q}u, ${count} - 1u);`, " ");
const groups = (batch: number, positions: number) => linearGroups(batch * positions, 32);

export const attention = defineKernel({
  name: "attention",
  bindings: { q: "read f32", k: "read f32", v: "read f32", y: "read_write f32", lse: "read_write f32" },
  params,
  lib,
  variants,
  main: (v: AttentionVariant) => `
    ${eachPosition("p.t")}
      var mine: array<f32, ${v.channels}>;
      var sum: array<f32, ${v.channels}>;
      for (var e = 0u; e < ${allOf(v)}; e++) { mine[e] = q[(b * ${v.channels}u + e) * p.t + at] * p.scale; sum[e] = 0.0; }
      var top = -3.4028234e38;
      var total = 0.0;
      let base = b * ${v.channels}u * p.s;
      for (var first = 0u; first < p.s; first += ${WIDTH}u) {
        ${neighbours("p.s")}
        ${unroll(WIDTH, (j) => `var w${j} = 0.0;`, " ")}
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let x = mine[e];
          let line = base + e * p.s;
          ${unroll(WIDTH, (j) => `w${j} += x * k[line + n${j}];`, " ")}
        }
        var peak = top;
        ${unroll(WIDTH, (j) => `w${j} = select(-3.4028234e38, w${j}, first + ${j}u < p.s); peak = max(peak, w${j});`)}
        let keep = exp_(top - peak);
        top = peak;
        ${unroll(WIDTH, (j) => `w${j} = exp_(w${j} - peak);`, " ")}
        total = total * keep + (${unroll(WIDTH, (j) => `w${j}`, " + ")});
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let line = base + e * p.s;
          sum[e] = sum[e] * keep + (${unroll(WIDTH, (j) => `w${j} * v[line + n${j}]`, " + ")});
        }
      }
      for (var e = 0u; e < ${allOf(v)}; e++) { y[(b * ${v.channels}u + e) * p.t + at] = sum[e] / total; }
      lse[thread] = top + log_(total);
    }`,
  dispatch: ({ batch, t }) => groups(batch, t),
  cost: ({ batch, t, s }, { channels: c }) => ({
    bytes: 4 * batch * c * (2 * t + 2 * s),
    flops: 4 * batch * t * s * c,
  }),
});

/** delta [batch, t] = sum over channels of dy y. */
export const attentionDelta = defineKernel({
  name: "attention_delta",
  bindings: { y: "read f32", dy: "read f32", delta: "read_write f32" },
  params: { batch: "u32", channels: "u32", t: "u32" },
  variants: [{}],
  main: () => `
    ${eachPosition("p.t")}
      var total = 0.0;
      for (var e = 0u; e < p.channels; e++) { let i = (b * p.channels + e) * p.t + at; total += y[i] * dy[i]; }
      delta[thread] = total;
    }`,
  dispatch: ({ batch, t }) => groups(batch, t),
  cost: ({ batch, channels, t }) => ({ bytes: 8 * batch * channels * t, flops: 2 * batch * channels * t }),
});

export const attentionGradQuery = defineKernel({
  name: "attention_grad_query",
  bindings: {
    q: "read f32",
    k: "read f32",
    v: "read f32",
    dy: "read f32",
    lse: "read f32",
    delta: "read f32",
    dq: "read_write f32",
  },
  params,
  lib,
  variants,
  main: (v: AttentionVariant) => `
    ${eachPosition("p.t")}
      var mine: array<f32, ${v.channels}>;
      var g: array<f32, ${v.channels}>;
      var sum: array<f32, ${v.channels}>;
      for (var e = 0u; e < ${allOf(v)}; e++) {
        let i = (b * ${v.channels}u + e) * p.t + at;
        mine[e] = q[i] * p.scale; g[e] = dy[i]; sum[e] = 0.0;
      }
      let base = b * ${v.channels}u * p.s;
      let own = lse[thread];
      let d = delta[thread];
      for (var first = 0u; first < p.s; first += ${WIDTH}u) {
        ${neighbours("p.s")}
        ${unroll(WIDTH, (j) => `var w${j} = 0.0; var h${j} = 0.0;`, " ")}
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let x = mine[e];
          let z = g[e];
          let line = base + e * p.s;
          ${unroll(WIDTH, (j) => `w${j} += x * k[line + n${j}]; h${j} += z * v[line + n${j}];`, " ")}
        }
        ${unroll(WIDTH, (j) => `h${j} = select(0.0, exp_(w${j} - own) * (h${j} - d), first + ${j}u < p.s);`, " ")}
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let line = base + e * p.s;
          sum[e] += ${unroll(WIDTH, (j) => `h${j} * k[line + n${j}]`, " + ")};
        }
      }
      for (var e = 0u; e < ${allOf(v)}; e++) { dq[(b * ${v.channels}u + e) * p.t + at] = sum[e] * p.scale; }
    }`,
  dispatch: ({ batch, t }) => groups(batch, t),
  cost: ({ batch, t, s }, { channels: c }) => ({
    bytes: 4 * batch * c * (3 * t + 2 * s),
    flops: 6 * batch * t * s * c,
  }),
});

export const attentionGradKey = defineKernel({
  name: "attention_grad_key",
  bindings: {
    q: "read f32",
    k: "read f32",
    v: "read f32",
    dy: "read f32",
    lse: "read f32",
    delta: "read f32",
    dk: "read_write f32",
    dv: "read_write f32",
  },
  params,
  lib,
  variants,
  main: (v: AttentionVariant) => `
    ${eachPosition("p.s")}
      var mine: array<f32, ${v.channels}>;
      var value: array<f32, ${v.channels}>;
      var sumK: array<f32, ${v.channels}>;
      var sumV: array<f32, ${v.channels}>;
      for (var e = 0u; e < ${allOf(v)}; e++) {
        let i = (b * ${v.channels}u + e) * p.s + at;
        mine[e] = k[i] * p.scale; value[e] = v[i]; sumK[e] = 0.0; sumV[e] = 0.0;
      }
      let base = b * ${v.channels}u * p.t;
      for (var first = 0u; first < p.t; first += ${WIDTH}u) {
        ${neighbours("p.t")}
        ${unroll(WIDTH, (i) => `var w${i} = 0.0; var h${i} = 0.0;`, " ")}
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let x = mine[e];
          let z = value[e];
          let line = base + e * p.t;
          ${unroll(WIDTH, (i) => `w${i} += x * q[line + n${i}]; h${i} += z * dy[line + n${i}];`, " ")}
        }
        ${unroll(
          WIDTH,
          (i) => `
        w${i} = select(0.0, exp_(w${i} - lse[b * p.t + n${i}]), first + ${i}u < p.t);
        h${i} = w${i} * (h${i} - delta[b * p.t + n${i}]);`,
        )}
        for (var e = 0u; e < ${allOf(v)}; e++) {
          let line = base + e * p.t;
          sumV[e] += ${unroll(WIDTH, (i) => `w${i} * dy[line + n${i}]`, " + ")};
          sumK[e] += ${unroll(WIDTH, (i) => `h${i} * q[line + n${i}]`, " + ")};
        }
      }
      for (var e = 0u; e < ${allOf(v)}; e++) {
        let i = (b * ${v.channels}u + e) * p.s + at;
        dk[i] = sumK[e] * p.scale;
        dv[i] = sumV[e];
      }
    }`,
  dispatch: ({ batch, s }) => groups(batch, s),
  cost: ({ batch, t, s }, { channels: c }) => ({
    bytes: 4 * batch * c * (2 * t + 4 * s),
    flops: 8 * batch * t * s * c,
  }),
});
