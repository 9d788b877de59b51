import {
  along,
  eachRow,
  type FoldVariant,
  foldGroups,
  foldVariants,
  lanewise,
  meet,
  needsSubgroups,
  once,
  sumOf,
} from "./folds.ts";
import { defineKernel } from "./kernel.ts";
import { math } from "./lib/math.ts";
import { elementType } from "./runs.ts";

const params = { rows: "u32", columns: "u32" } as const;
const table = { rows: "p.rows", columns: "p.columns" };

export type SoftmaxVariant = FoldVariant & { out: "softmax" | "logSoftmax" | "logsumexp" };

/** An infinite maximum, taken from itself, would leave NaN, where the sum of exponentials is 0 or infinite. */
export const finiteTop = "top = select(0.0, top, is_finite(top));";

/** x [rows, columns] -> softmax or its logarithm [rows, columns], or log sum exp [rows]. Shifted by the row's maximum. */
export const softmax = defineKernel({
  name: "softmax",
  bindings: ({ out, vec }: SoftmaxVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      y: `read_write ${elementType(vec && out !== "logsumexp")}`,
    }) as const,
  params,
  lib: ({ vec }) => [...math, sumOf(vec)],
  subgroups: needsSubgroups,
  variants: (["softmax", "logSoftmax", "logsumexp"] as const).flatMap((out) =>
    foldVariants.map((v): SoftmaxVariant => ({ out, ...v })),
  ),
  main: (v) => {
    const { out, by, vec } = v;
    const type = elementType(vec);
    const e = (d: string) => lanewise(vec, (lane) => `exp_(${d}${lane})`);
    const keeps = out === "softmax" && by === "thread"; // a surplus group would find what another has divided already
    const result = {
      softmax: keeps ? "y[i] = y[i] / total;" : `let d = x[i] - top; y[i] = ${e("d")} / total;`,
      logSoftmax: "y[i] = (x[i] - top) - log_(total);",
    };
    return `
    ${eachRow(v, table)}
      var tops = ${type}(-3.4028234e38);
      ${along(v, "tops = max(tops, x[i]);")}
      var top = ${vec ? "max(max(tops.x, tops.y), max(tops.z, tops.w))" : "tops"};
      ${meet(v, "top", "max")}
      ${out === "logsumexp" ? finiteTop : ""}
      var totals = ${type}();
      ${along(
        v,
        `let d = x[i] - top;
        let e = ${e("d")};
        totals += e;
        ${keeps ? "y[i] = e;" : ""}`,
      )}
      var total = sum(totals);
      ${meet(v, "total")}
      ${out === "logsumexp" ? once(v, "y[row] = top + log_(total);") : along(v, result[out])}
    }`;
  },
  dispatch: ({ rows }, v) => foldGroups(rows, v),
  cost: ({ rows, columns }) => ({ bytes: 8 * rows * columns, flops: 4 * rows * columns }),
});

type SoftmaxGradVariant = FoldVariant & { log: boolean };

/** dx from y = softmax(x): y (dy - sum y dy); or from y = log softmax(x): dy - exp(y) sum dy. */
export const softmaxGrad = defineKernel({
  name: "softmax_grad",
  bindings: ({ vec }: SoftmaxGradVariant) =>
    ({
      y: `read ${elementType(vec)}`,
      dy: `read ${elementType(vec)}`,
      dx: `read_write ${elementType(vec)}`,
    }) as const,
  params,
  lib: ({ vec }) => [...math, sumOf(vec)],
  subgroups: needsSubgroups,
  variants: [false, true].flatMap((log) => foldVariants.map((v): SoftmaxGradVariant => ({ log, ...v }))),
  main: (v) => `
    ${eachRow(v, table)}
      var totals = ${elementType(v.vec)}();
      ${along(v, `totals += dy[i]${v.log ? "" : " * y[i]"};`)}
      var total = sum(totals);
      ${meet(v, "total")}
      ${along(
        v,
        v.log
          ? `let l = y[i]; dx[i] = dy[i] - ${lanewise(v.vec, (lane) => `exp_(l${lane})`)} * total;`
          : "dx[i] = y[i] * (dy[i] - total);",
      )}
    }`,
  dispatch: ({ rows }, v) => foldGroups(rows, v),
  cost: ({ rows, columns }) => ({ bytes: 12 * rows * columns, flops: 4 * rows * columns }),
});
