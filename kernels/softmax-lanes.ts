import { lanewise, sumOf } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { math } from "./lib/math.ts";
import { finiteTop, type SoftmaxVariant } from "./softmax.ts";

/*
 * Softmax for GPUs with subgroups: some neighbouring lanes for each row, which keep it in registers. x is read once, each
 * exponential is taken once, and lanes meet by exchange, without a barrier.
 */

export type SoftmaxLanes = {
  /** Threads of a row, a power of two that is no more than a subgroup has. */
  lanes: number;
  /** vec4s a thread keeps: of a row's, the last thread may lack its last ones. */
  each: number;
};
type SoftmaxLanesVariant = SoftmaxLanes & Pick<SoftmaxVariant, "out">;

const THREADS = 256;
const MOST_LANES = 32;
/** vec4s that a thread loads side by side, and those its registers have room for. */
const USUAL_EACH = 4;
/** Columns from which on a subgroup that reads its row twice is faster: on an H200 so at 1,024, not at 256. */
const WIDE = 1024;

/** Every sharing out of rows of so many elements, the usual one first; none where such are not possible. */
export function softmaxLanes(hw: Hardware, columns: number): SoftmaxLanes[] {
  const { kind, subgroups, subgroupSize = 0 } = hw;
  if (kind !== "gpu" || !subgroups || columns % 4 !== 0 || columns >= WIDE) return [];
  const all = range(6)
    .map((i) => 2 ** i)
    .filter((lanes) => lanes <= Math.min(subgroupSize, MOST_LANES))
    .map((lanes) => ({ lanes, each: Math.ceil(columns / 4 / lanes) }))
    .filter(({ each }) => each <= 2 * USUAL_EACH);
  const far = ({ each }: SoftmaxLanes) => (each <= USUAL_EACH ? USUAL_EACH - each : each);
  return all.sort((a, b) => far(a) - far(b) || a.lanes - b.lanes).slice(0, 3);
}

/** x [rows, columns] -> as `softmax`, for columns of more than 4 lanes (each - 1) and no more than 4 lanes each. */
export const softmaxByLanes = defineKernel({
  name: "softmax_lanes",
  bindings: ({ out }: SoftmaxLanesVariant) =>
    ({ x: "read vec4f", y: out === "logsumexp" ? "read_write f32" : "read_write vec4f" }) as const,
  params: { rows: "u32", columns: "u32" },
  lib: [...math, sumOf(true)],
  subgroups: () => true,
  variants: [
    { out: "softmax", lanes: 4, each: 3 },
    { out: "softmax", lanes: 1, each: 2 },
    { out: "logSoftmax", lanes: 8, each: 2 },
    { out: "logsumexp", lanes: 2, each: 1 },
  ] as SoftmaxLanesVariant[],
  main: (v: SoftmaxLanesVariant) => {
    const { lanes, each, out } = v;
    const last = each - 1;
    const names = (name: string) => range(each).map((k) => `${name}${k}`);
    const store = (value: (k: number) => string) =>
      unroll(
        each,
        (k) => `${k === last ? "if (whole) { " : ""}y[at${k}] = ${value(k)};${k === last ? " }" : ""}`,
      );
    const stores = {
      softmax: `let factor = 1.0 / total; ${store((k) => `e${k} * factor`)}`,
      logSoftmax: `let down = log_(total); ${store((k) => `(x${k} - top) - down`)}`,
      logsumexp: "if (own == 0u) { y[row] = top + log_(total); }",
    };
    return `
    fn largest(value: f32) -> f32 {
      var v = value;
      ${exchanged(lanes, "v = max(v, subgroupShuffleXor(v, SPAN));")}
      return v;
    }
    fn all_of(value: f32) -> f32 {
      var v = value;
      ${exchanged(lanes, "v += subgroupShuffleXor(v, SPAN);")}
      return v;
    }
    ${linearMain(THREADS)}
      let row = min(thread / ${lanes}u, p.rows - 1u); // a surplus lane repeats the last row's, for all have to exchange
      let own = thread % ${lanes}u;
      let length = p.columns / 4u;
      let whole = own + ${last * lanes}u < length;
      ${unroll(each, (k) => `let at${k} = row * length + ${k === last ? `min(own + ${k * lanes}u, length - 1u)` : `own + ${k * lanes}u`};`)}
      ${unroll(each, (k) => `let x${k} = x[at${k}];`)}
      let tops = ${names("x").reduce((a, b) => `max(${a}, ${b})`)};
      var top = largest(max(max(tops.x, tops.y), max(tops.z, tops.w)));
      ${out === "logsumexp" ? finiteTop : ""}
      ${unroll(each, (k) => `let d${k} = x${k} - top; ${k === last ? "var" : "let"} e${k} = ${lanewise(true, (lane) => `exp_(d${k}${lane})`)};`)}
      if (!whole) { e${last} = vec4f(); }
      let total = all_of(sum(${names("e").join(" + ")}));
      ${stores[out]}
    }`;
  },
  dispatch: ({ rows }, { lanes }) => linearGroups(rows, THREADS / lanes),
  cost: ({ rows, columns }) => ({ bytes: 8 * rows * columns, flops: 4 * rows * columns }),
});

/** A line for each distance over which lanes exchange. */
const exchanged = (lanes: number, line: string): string =>
  range(Math.log2(lanes))
    .map((i) => line.replace("SPAN", `${2 ** i}u`))
    .join("\n      ");
