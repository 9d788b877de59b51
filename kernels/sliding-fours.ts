import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { bits } from "./lib/math.ts";

/*
 * The pools of sliding-pool.ts for GPUs, where lines are multiples of 4: a thread reads whole vec4s, the same as its
 * neighbours where windows reach over, and writes a vec4 of each row of its strip. Every line of inputs is joined once
 * along x, and the rows' results along y.
 */

export type FoursVariant = {
  kh: number;
  kw: number;
  /** Places between the beginning of the first vec4 that is read and the left end of the first window. */
  lead: number;
  /** Rows of a thread. */
  rows: number;
};

const windows: readonly FoursVariant[] = [
  { kh: 5, kw: 5, lead: 2, rows: 1 },
  { kh: 3, kw: 2, lead: 3, rows: 4 },
  { kh: 1, kw: 5, lead: 0, rows: 2 },
];

const params = {
  planes: "u32",
  height: "u32",
  width: "u32",
  oh: "u32",
  ow: "u32",
  /** Rows and columns of padding before the inputs. */
  top: "i32",
  left: "i32",
} as const;
type Params = Record<keyof typeof params, number>;

/** `left` is before a vec4 by so many places: a thread's first window begins there. */
export const leadOf = (left: number): number => (4 - (left % 4)) % 4;

const THREADS = 256;
/** Those whose sums every adapter has room for. */
const gradThreads = ({ rows }: FoursVariant) => Math.min(THREADS, 1024 / rows);
const strips = ({ planes, oh, ow }: Params, { rows }: FoursVariant) =>
  (planes * Math.ceil(oh / rows) * ow) / 4;
const dispatch = (sizes: Params, v: FoursVariant) => linearGroups(strips(sizes, v), THREADS);

/** Lines that a thread reads, and vec4s of each. */
const linesOf = ({ kh, rows }: FoursVariant) => rows + kh - 1;
const vecsOf = ({ kw, lead }: FoursVariant) => Math.ceil((lead + kw + 3) / 4);

/** WGSL of a thread's strip, and of which vec4s of its lines are inside of the inputs. */
const placed = (v: FoursVariant) => `
      let across = p.ow / 4u;
      let down = (p.oh + ${v.rows - 1}u) / ${v.rows}u;
      let strip = thread / across;
      let plane = strip / down;
      if (plane >= p.planes) { return; }
      let column = thread - strip * across;
      let row = (strip - plane * down) * ${v.rows}u;
      let wide = i32(p.width / 4u);
      let first = i32(row) - p.top;
      let begin = i32(column) - (p.left + ${v.lead}) / 4;
      let base = i32(plane * p.height) * wide;
      ${unroll(vecsOf(v), (k) => `let in${k} = begin + ${k} >= 0 && begin + ${k} < wide;`)}`;

/**
 * WGSL that reads `line(n)` after line and writes `result(r)` for each row, at `out`. `yN` says whether line N is there,
 * `lineN` where its vec4s begin.
 */
function strip(
  v: FoursVariant,
  { line, result, last = "" }: { line: (n: number) => string; result: (r: number) => string; last?: string },
): string {
  return `
    ${linearMain(THREADS)}
      ${placed(v)}
      ${unroll(
        linesOf(v),
        (n) => `
      let y${n} = first + ${n} >= 0 && first + ${n} < i32(p.height);
      let line${n} = base + (first + ${n}) * wide + begin;
      ${line(n)}`,
      )}
      let out = (plane * p.oh + row) * across + column;
      ${unroll(v.rows, (r) => `if (row + ${r}u < p.oh) { ${result(r)} }`)}
      ${last}
    }`;
}

/** Of the vec4s xN_0, xN_1, ... of line N the four places from the k-th of the first window on. */
function four(v: FoursVariant, n: number, k: number): string {
  const at = (c: number) => `x${n}_${Math.floor((v.lead + k + c) / 4)}`;
  if ((v.lead + k) % 4 === 0) return at(0);
  return `vec4f(${range(4).map((c) => `${at(c)}.${"xyzw"[(v.lead + k + c) % 4]}`)})`;
}

/** slidingMean by vec4s: width and ow are multiples of 4. */
export const meanOfFours = defineKernel({
  name: "mean_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params,
  variants: windows,
  main: (v: FoursVariant) =>
    strip(v, {
      line: (n) => `
      ${unroll(vecsOf(v), (k) => {
        const there = `y${n} && in${k}`;
        return `let x${n}_${k} = select(vec4f(), x[select(0, line${n} + ${k}, ${there})], ${there});`;
      })}
      let s${n} = ${unroll(v.kw, (k) => four(v, n, k), " + ")};`,
      result: (r) =>
        `y[out + ${r}u * across] = (${unroll(v.kh, (a) => `s${r + a}`, " + ")}) * ${1 / (v.kh * v.kw)}f;`,
    }),
  dispatch,
  cost: ({ planes, height, width, oh, ow }, { kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * (kh + kw),
  }),
});

/** Rows count by so many in a mark, which has a byte. */
const MARK_ROW = 16;

/** Stands outside of the image, below all numbers of lesser size, and the bits of that. */
const LOWEST = "-3.4e38";
const LOWEST_SIZE = "0x7f7fc99eu";

const packed = (marks: string) =>
  `${marks}.x | (${marks}.y << 8u) | (${marks}.z << 16u) | (${marks}.w << 24u)`;

/** The row and its marks once more, as slidingMax finds them, by comparing what may be NaN or infinite. */
const carefully = ({ kh, kw, rows }: FoursVariant, marked: boolean) => `
      if (any(sizes >= vec4u(${LOWEST_SIZE}))) {
        for (var r = 0u; r < min(${rows}u, p.oh - row); r++) {
          var best = vec4f();
          var mark = vec4u();
          for (var c = 0u; c < 4u; c++) {
            var found = false;
            for (var a = 0; a < ${kh}; a++) {
              let i = first + i32(r) + a;
              for (var b = 0; b < ${kw}; b++) {
                let j = i32(4u * column + c) - p.left + b;
                if (i >= 0 && i < i32(p.height) && j >= 0 && j < 4 * wide) {
                  let v = x[base + i * wide + j / 4][j % 4];
                  if (!found || v > best[c] || is_nan(v)) {
                    found = true;
                    best[c] = v;
                    mark[c] = u32(a * ${MARK_ROW} + b);
                  }
                }
              }
            }
          }
          y[out + r * across] = best;
          ${marked ? `marks[out + r * across] = ${packed("mark")};` : ""}
        }
      }`;

/**
 * WGSL of maxima, and of where they stand if `marked`. Numbers are compared plainly; where a NaN, an infinity or one nearly
 * as large was among them, the strip is done again with care.
 */
function largest(v: FoursVariant, marked: boolean): string {
  const { kh, kw } = v;
  /** A later one wins where it is larger. */
  const later = (value: string, mark: string, other: string, otherMark: string) => `
      ${marked ? `${mark} = select(${mark}, ${otherMark}, ${other} > ${value});` : ""}
      ${value} = max(${value}, ${other});`;
  return strip(v, {
    line: (n) => `
      ${unroll(
        vecsOf(v),
        (k) => `
      let raw${n}_${k} = x[select(0, line${n} + ${k}, y${n} && in${k})];
      let x${n}_${k} = select(vec4f(${LOWEST}), raw${n}_${k}, y${n} && in${k});`,
      )}
      ${n === 0 ? "var sizes = vec4u();" : ""}
      ${unroll(vecsOf(v), (k) => `sizes = max(sizes, bitcast<vec4u>(raw${n}_${k}) & vec4u(0x7fffffffu));`)}
      var v${n} = ${four(v, n, 0)};
      ${marked ? `var m${n} = vec4u(${MARK_ROW * n}u);` : ""}
      ${unroll(kw - 1, (k) => `{ let v = ${four(v, n, k + 1)}; ${later(`v${n}`, `m${n}`, "v", `vec4u(${MARK_ROW * n + k + 1}u)`)} }`)}`,
    result: (r) => `
        var best = v${r};
        ${marked ? `var mark = m${r};` : ""}
        ${unroll(kh - 1, (a) => later("best", "mark", `v${r + a + 1}`, `m${r + a + 1}`))}
        y[out + ${r}u * across] = best;
        ${marked ? `mark -= vec4u(${MARK_ROW * r}u); marks[out + ${r}u * across] = ${packed("mark")};` : ""}`,
    last: carefully(v, marked),
  });
}

const maxCost =
  (bytes: number) =>
  ({ planes, height, width, oh, ow }: Params, { kh, kw }: FoursVariant) => ({
    bytes: planes * (4 * height * width + bytes * oh * ow),
    flops: planes * oh * ow * (kh + kw),
  });

/** slidingMax by vec4s, without the places: width and ow are multiples of 4. */
export const maxOfFours = defineKernel({
  name: "max_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params,
  lib: [bits],
  variants: windows,
  main: (v: FoursVariant) => largest(v, false),
  dispatch,
  cost: maxCost(4),
});

/** The same with marks [planes, oh, ow / 4], a byte for each maximum: 16 a + b for row a and column b of its window. */
export const markedMaxOfFours = defineKernel({
  name: "marked_max_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f", marks: "read_write u32" },
  params,
  lib: [bits],
  variants: windows,
  main: (v: FoursVariant) => largest(v, true),
  dispatch,
  cost: maxCost(5),
});

/**
 * dx [planes, oh, ow] from dy [planes, height, width] and its marks: the sums of dy over the windows whose maximum stood
 * here. A thread goes over the windows that reach its strip and adds up in workgroup memory, each number in a place of its
 * own. As adjoints do it runs the other way: oh and ow are the sizes of markedMaxOfFours' inputs, top and left kh - 1 and
 * kw - 1 less its own.
 */
export const maxOfFoursGrad = defineKernel({
  name: "max_of_fours_grad",
  bindings: { dy: "read vec4f", marks: "read u32", dx: "read_write vec4f" },
  params,
  variants: windows,
  main: (v: FoursVariant) => {
    const { kh, kw, lead, rows } = v;
    const threads = gradThreads(v);
    /** The window that is the e-th of a line adds to what it marks, where that is the thread's. */
    const given = (e: number) => {
      const [k, lane] = [Math.floor((lead + e) / 4), (lead + e) % 4];
      return `{
          let mark = w${k} >> ${8 * lane}u;
          let r = n - ${kh - 1}u + ((mark >> 4u) & 15u);
          let c = (mark & 15u) + ${e}u - ${kw - 1}u;
          if (r < ${rows}u && c < 4u) { sums[(4u * r + c) * ${threads}u + lane] += d${k}.${"xyzw"[lane]}; }
        }`;
    };
    return `
    var<workgroup> sums: array<f32, ${4 * rows * threads}>;
    ${linearMain(threads)}
      ${placed(v)}
      let last = min(${rows}u, p.oh - row) + ${kh - 1}u;
      for (var n = 0u; n < last; n++) {
        let i = first + i32(n);
        let there = i >= 0 && i < i32(p.height);
        let line = base + i * wide + begin;
        ${unroll(
          vecsOf(v),
          (k) => `
        let at${k} = select(0, line + ${k}, there && in${k});
        let d${k} = select(vec4f(), dy[at${k}], there && in${k});
        let w${k} = marks[at${k}];`,
        )}
        ${unroll(kw + 3, given)}
      }
      let out = (plane * p.oh + row) * across + column;
      for (var r = 0u; r < min(${rows}u, p.oh - row); r++) {
        let at = 4u * r * ${threads}u + lane;
        dx[out + r * across] = vec4f(${unroll(4, (c) => `sums[at + ${c * threads}u]`, ", ")});
      }
    }`;
  },
  dispatch: (sizes, v) => linearGroups(strips(sizes, v), gradThreads(v)),
  cost: ({ planes, height, width, oh, ow }) => ({
    bytes: planes * (5 * height * width + 4 * oh * ow),
    flops: planes * height * width,
  }),
});

/** index [planes, oh, ow] as slidingMax has it, of marks [planes, oh, ow / 4]. */
export const markedPlaces = defineKernel({
  name: "marked_places",
  bindings: { marks: "read u32", index: "read_write i32" },
  params: { count: "u32", oh: "u32", ow: "u32", width: "u32", top: "i32", left: "i32" },
  variants: [{}],
  main: () => `
    ${linearMain(THREADS)}
      if (thread >= p.count) { return; }
      let line = thread / p.ow;
      let mark = i32((marks[thread / 4u] >> (8u * (thread % 4u))) & 255u);
      let i = i32(line % p.oh) - p.top + mark / ${MARK_ROW};
      let j = i32(thread - line * p.ow) - p.left + mark % ${MARK_ROW};
      index[thread] = i * i32(p.width) + j;
    }`,
  dispatch: ({ count }) => linearGroups(count, THREADS),
  cost: ({ count }) => ({ bytes: 5 * count, flops: 0 }),
});
