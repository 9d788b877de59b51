import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { math } from "./lib/math.ts";

export type SoftmaxVariant = {
  out: "softmax" | "logSoftmax" | "logsumexp";
  /** One thread, or 64 with a tree, for each row. */
  by: "thread" | "group";
};

const result = {
  softmax: "exp_(x[base + e] - top) / total",
  logSoftmax: "(x[base + e] - top) - log_(total)",
};
const join = (by: SoftmaxVariant["by"], value: string, op: string) =>
  by === "thread"
    ? ""
    : `workgroupBarrier();
      part[lane] = ${value};
      for (var half = 32u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        if (lane < half) { let other = part[lane + half]; let own = part[lane]; part[lane] = ${op}; }
      }
      workgroupBarrier();
      ${value} = part[0];`;

/** x [rows, columns] -> softmax or its logarithm [rows, columns], or log sum exp [rows]. Shifted by the row's maximum. */
export const softmax = defineKernel({
  name: "softmax",
  bindings: { x: "read f32", y: "read_write f32" },
  params: { rows: "u32", columns: "u32" },
  lib: math,
  variants: (["softmax", "logSoftmax", "logsumexp"] as const).flatMap((out) =>
    (["thread", "group"] as const).map((by): SoftmaxVariant => ({ out, by })),
  ),
  main: ({ out, by }: SoftmaxVariant) => {
    const walk = by === "thread" ? "var e = 0u; e < p.columns; e++" : "var e = lane; e < p.columns; e += 64u";
    return `
    ${by === "group" ? "var<workgroup> part: array<f32, 64>;" : ""}
    ${linearMain(64)}
      ${by === "thread" ? "if (thread >= p.rows) { return; } let row = thread;" : "let row = min(group, p.rows - 1u);"}
      let base = row * p.columns;
      var top = -3.4028234e38;
      for (${walk}) { top = max(top, x[base + e]); }
      ${join(by, "top", "max(own, other)")}
      var total = 0.0;
      for (${walk}) { total += exp_(x[base + e] - top); }
      ${join(by, "total", "own + other")}
      ${
        out === "logsumexp"
          ? by === "thread"
            ? "y[row] = top + log_(total);"
            : "if (lane == 0u) { y[row] = top + log_(total); }"
          : `for (${walk}) { y[base + e] = ${result[out]}; }`
      }
    }`;
  },
  dispatch: ({ rows }, { by }) => linearGroups(rows, by === "thread" ? 64 : 1),
  cost: ({ rows, columns }) => ({ bytes: 8 * rows * columns, flops: 4 * rows * columns }),
});

/** dx from y = softmax(x): y (dy - sum y dy); or from y = log softmax(x): dy - exp(y) sum dy. One thread a row. */
export const softmaxGrad = defineKernel({
  name: "softmax_grad",
  bindings: { y: "read f32", dy: "read f32", dx: "read_write f32" },
  params: { rows: "u32", columns: "u32" },
  lib: math,
  variants: [{ log: false }, { log: true }],
  main: ({ log }: { log: boolean }) => `
    ${linearMain(64)}
      if (thread >= p.rows) { return; }
      let base = thread * p.columns;
      var total = 0.0;
      for (var e = base; e < base + p.columns; e++) { total += dy[e]${log ? "" : " * y[e]"}; }
      for (var e = base; e < base + p.columns; e++) {
        dx[e] = ${log ? "dy[e] - exp_(y[e]) * total" : "y[e] * (dy[e] - total)"};
      }
    }`,
  dispatch: ({ rows }) => linearGroups(rows, 64),
  cost: ({ rows, columns }) => ({ bytes: 12 * rows * columns, flops: 4 * rows * columns }),
});
