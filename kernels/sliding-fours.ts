import { broadcasts, LANES, ownLane } from "./broadcast.ts";
import {
  components,
  defineKernel,
  type Hardware,
  linearGroups,
  linearMain,
  range,
  unroll,
} from "./kernel.ts";
import { bits } from "./lib/math.ts";
import { type SlidingParams, slidingParams } from "./sliding-pool.ts";

/*
 * The pools of sliding-pool.ts for GPUs and llvmpipe, where lines are multiples of 4: a thread reads whole vec4s, the same as
 * its neighbours where windows reach over, and writes a vec4 of each row of its strip. Every line of inputs is joined once
 * along x, and the rows' results along y.
 */

export type FoursVariant = {
  kh: number;
  kw: number;
  /** Places between the beginning of the first vec4 that is read and the left end of the first window. */
  lead: number;
  /** Rows of a thread. */
  rows: number;
  /** The text of a line is repeated, or stands in a loop. */
  repeated: boolean;
  /** A lane reads the vec4 above its own, and has the others from its neighbours: see broadcast.ts. */
  shared: boolean;
};

const windows: readonly FoursVariant[] = [
  { kh: 5, kw: 5, lead: 2, rows: 8, repeated: false, shared: false },
  { kh: 3, kw: 2, lead: 3, rows: 4, repeated: false, shared: false },
  { kh: 1, kw: 5, lead: 0, rows: 2, repeated: true, shared: false },
];
const sharing: readonly FoursVariant[] = [
  { kh: 5, kw: 5, lead: 2, rows: 4, repeated: false, shared: true },
  { kh: 3, kw: 2, lead: 3, rows: 16, repeated: false, shared: true },
  { kh: 1, kw: 5, lead: 0, rows: 2, repeated: false, shared: true },
];

/** `left` is before a vec4 by so many places: a thread's first window begins there. */
const leadOf = (left: number): number => (4 - (left % 4)) % 4;

/**
 * How a GPU goes down images of more than 4 rows. Long strips save maxima, which take more work, lines at their ends; of a
 * gradient they leave less workgroup memory for each thread. On an H200 5x5 of 128x256x32x32 then take 80, 56 (with marks)
 * and 42 % of the copy's rate.
 */
const STRIPS = {
  mean: { rows: 4, repeated: false },
  max: { rows: 8, repeated: false },
  maxGrad: { rows: 4, repeated: false },
};
/** Rows of llvmpipe's strips. */
const LONG = 16;

/**
 * The variant for windows of kh x kw over lines of `from` into `oh` lines of `to`, where a GPU or llvmpipe can
 * take them by vec4s.
 */
export function foursVariant(
  hw: Hardware,
  what: keyof typeof STRIPS,
  {
    kh,
    kw,
    left,
    from,
    to,
    oh,
  }: { kh: number; kw: number; left: number; from: number; to: number; oh: number },
): FoursVariant | undefined {
  if (from % 4 !== 0 || to % 4 !== 0) return undefined;
  const lead = leadOf(left);
  if (hw.kind === "cpu")
    return broadcasts(hw) ? { kh, kw, lead, rows: LONG, repeated: false, shared: true } : undefined;
  const { rows, repeated } = STRIPS[what];
  return { kh, kw, lead, rows: oh <= 4 ? 4 : rows, repeated, shared: false };
}

const THREADS = 256;
const threads = ({ shared }: FoursVariant): number => (shared ? LANES : THREADS);
/** Those whose sums every adapter has room for. */
const gradThreads = ({ rows }: FoursVariant) => Math.min(THREADS, 1024 / rows);
const strips = ({ planes, oh, ow }: SlidingParams, { rows }: FoursVariant) =>
  (planes * Math.ceil(oh / rows) * ow) / 4;
const dispatch = (sizes: SlidingParams, v: FoursVariant) => linearGroups(strips(sizes, v), threads(v));

/** vec4s of a line that a thread reads. */
const vecsOf = ({ kw, lead }: FoursVariant) => Math.ceil((lead + kw + 3) / 4);

/** WGSL of a thread's strip, and of which vec4s of its lines are inside of the inputs. */
const placed = (v: FoursVariant) => `
      let across = p.ow / 4u;
      let down = (p.oh + ${v.rows - 1}u) / ${v.rows}u;
      let strip = thread / across;
      let plane = strip / down;
      ${v.shared ? "let live = plane < p.planes; // the others hand on" : "if (plane >= p.planes) { return; }"}
      let column = thread - strip * across;
      let row = (strip - plane * down) * ${v.rows}u;
      let wide = i32(p.width / 4u);
      let first = i32(row) - p.top;
      let begin = i32(column) - (p.left + ${v.lead}) / 4;
      let base = i32(plane * p.height) * wide;
      ${unroll(vecsOf(v), (k) => `let in${k} = begin + ${k} >= 0 && begin + ${k} < wide;`)}`;

/** Once, for `read`: which vec4s other lanes have. */
const handedOn = (v: FoursVariant): string =>
  unroll(
    vecsOf(v),
    (k) => `
      let off${k} = begin + ${k} - i32(column);
      let from${k} = u32(i32(own) + off${k});
      let handed${k} = from${k} < ${LANES}u && u32(begin + ${k}) < across;`,
  );

/** WGSL of the k-th place of `array` in a line that is `there`, NAMEk: anything where there is none. */
const read = (v: FoursVariant, array = "x", name = "raw", type: "vec4f" | "u32" = "vec4f"): string =>
  v.shared
    ? `
        var own_${name} = ${type}();
        if (live && there && i32(column) < wide) { own_${name} = ${array}[base + i * wide + i32(column)]; }
        ${unroll(
          vecsOf(v),
          (k) => `
        var ${name}${k} = subgroupShuffle(own_${name}, from${k} & ${LANES - 1}u);
        if (live && there && in${k} && !handed${k}) { ${name}${k} = ${array}[line + ${k}]; }`,
        )}`
    : unroll(vecsOf(v), (k) => `let ${name}${k} = ${array}[select(0, line + ${k}, there && in${k})];`);

/**
 * WGSL that goes down the strip: of each line it reads xN, vec4s with `outside` where there is none, `join`s them to what is
 * `kept` of kh lines, NAME0 of the oldest, and writes `result`, from all of it, at `out`.
 */
function walk(
  v: FoursVariant,
  {
    kept,
    outside,
    join,
    result,
    before = "",
    after = "",
  }: {
    kept: Record<string, "vec4f" | "vec4u">;
    outside: string;
    join: string;
    result: string;
    before?: string;
    after?: string;
  },
): string {
  const { kh, rows } = v;
  const names = Object.keys(kept);
  const line = `
        let i = first + i32(n);
        let there = i >= 0 && i < i32(p.height);
        let line = base + i * wide + begin;
        ${read(v)}
        ${unroll(vecsOf(v), (k) => `let x${k} = select(${outside}, raw${k}, there && in${k});`)}
        ${names.map((name) => unroll(kh - 1, (r) => `${name}${r} = ${name}${r + 1};`, " ")).join("\n")}
        ${join}
        if (${v.shared ? "live && " : ""}n >= ${kh - 1}u && row + n < p.oh + ${kh - 1}u) {
          let out = start + (n - ${kh - 1}u) * across;
          ${result}
        }`;
  const lines = rows + kh - 1;
  return `
    ${linearMain(threads(v), ownLane(v.shared))}
      ${placed(v)}
      ${v.shared ? handedOn(v) : ""}
      let start = (plane * p.oh + row) * across + column;
      ${names.map((name) => unroll(kh, (r) => `var ${name}${r} = ${kept[name]}();`, " ")).join("\n")}
      ${before}
      ${v.repeated ? unroll(lines, (n) => `{ const n = ${n}u; ${line} }`) : `for (var n = 0u; n < ${lines}u; n++) { ${line} }`}
      ${after}
    }`;
}

/** Of the vec4s NAME0, NAME1, ... of a line the four places from the k-th of the first window on. */
function four({ lead }: FoursVariant, k: number, name = "x", type: "vec4f" | "vec4u" = "vec4f"): string {
  const at = (c: number) => `${name}${Math.floor((lead + k + c) / 4)}`;
  if ((lead + k) % 4 === 0) return at(0);
  return `${type}(${range(4).map((c) => `${at(c)}.${components[(lead + k + c) % 4]}`)})`;
}

/** slidingMean by vec4s: width and ow are multiples of 4. */
export const meanOfFours = defineKernel({
  name: "mean_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params: slidingParams,
  subgroups: ({ shared }) => shared,
  subgroupSize: ({ shared }) => (shared ? LANES : undefined),
  variants: [...windows, ...sharing],
  main: (v: FoursVariant) =>
    walk(v, {
      kept: { s: "vec4f" },
      outside: "vec4f()",
      join: `s${v.kh - 1} = ${unroll(v.kw, (k) => four(v, k), " + ")};`,
      result: `y[out] = (${unroll(v.kh, (r) => `s${r}`, " + ")}) * ${1 / (v.kh * v.kw)}f;`,
    }),
  dispatch,
  cost: ({ planes, height, width, oh, ow }, { kh, kw }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: planes * oh * ow * (kh + kw),
  }),
});

/** Rows count by so many in a mark, which has a byte. */
const MARK_ROW = 16;

/** Stands outside of the image, below all numbers whose doubles are finite. */
const LOWEST = "-3.4e38";

const packed = (marks: string) =>
  `${marks}.x | (${marks}.y << 8u) | (${marks}.z << 16u) | (${marks}.w << 24u)`;

/** The row and its marks once more, as slidingMax finds them, by comparing what may be NaN or infinite. */
const carefully = ({ kh, kw, rows, shared }: FoursVariant, marked: boolean) => `
      if (${shared ? "live && " : ""}any((bitcast<vec4u>(doubles) & vec4u(0x7f800000u)) == vec4u(0x7f800000u))) {
        for (var r = 0u; r < min(${rows}u, p.oh - row); r++) {
          var best = vec4f();
          var mark = vec4u();
          for (var c = 0u; c < 4u; c++) {
            var found = false;
            let top = first + i32(r);
            let left = i32(4u * column + c) - p.left;
            for (var i = max(top, 0); i < min(top + ${kh}, i32(p.height)); i++) {
              for (var j = max(left, 0); j < min(left + ${kw}, 4 * wide); j++) {
                let v = x[base + i * wide + j / 4][j % 4];
                if (!found || v > best[c] || is_nan(v)) {
                  found = true;
                  best[c] = v;
                  mark[c] = u32(${MARK_ROW} * (i - top) + j - left);
                }
              }
            }
          }
          y[start + r * across] = best;
          ${marked ? `marks[start + r * across] = ${packed("mark")};` : ""}
        }
      }`;

/**
 * WGSL of maxima, and of where they stand if `marked`. Numbers are compared plainly; where a NaN, an infinity or one nearly
 * as large was among them, which a sum of doubles tells, the strip is done again with care.
 */
function largest(v: FoursVariant, marked: boolean): string {
  const { kh, kw } = v;
  const ifMarked = (text: string) => (marked ? text : "");
  return walk(v, {
    kept: marked ? { v: "vec4f", m: "vec4u" } : { v: "vec4f" },
    outside: `vec4f(${LOWEST})`,
    before: "var doubles = vec4f();",
    join: `
        ${unroll(vecsOf(v), (k) => `doubles = fma(raw${k}, vec4f(2.0), doubles);`)}
        var value = ${four(v, 0)};
        ${ifMarked(`var mark = vec4u(${MARK_ROW}u * n);`)}
        ${unroll(
          kw - 1,
          (k) => `{
          let v = ${four(v, k + 1)};
          ${ifMarked(`mark = select(mark, vec4u(${MARK_ROW}u * n + ${k + 1}u), v > value);`)}
          value = max(value, v);
        }`,
        )}
        v${kh - 1} = value;
        ${ifMarked(`m${kh - 1} = mark;`)}`,
    result: `
          var best = v0;
          ${ifMarked("var bestMark = m0;")}
          ${unroll(
            kh - 1,
            (r) => `
          ${ifMarked(`bestMark = select(bestMark, m${r + 1}, v${r + 1} > best);`)}
          best = max(best, v${r + 1});`,
          )}
          y[out] = best;
          ${ifMarked(`bestMark -= vec4u(${MARK_ROW}u * (n - ${kh - 1}u));`)}
          ${ifMarked(`marks[out] = ${packed("bestMark")};`)}`,
    after: carefully(v, marked),
  });
}

const maxCost =
  (bytes: number) =>
  ({ planes, height, width, oh, ow }: SlidingParams, { kh, kw }: FoursVariant) => ({
    bytes: planes * (4 * height * width + bytes * oh * ow),
    flops: planes * oh * ow * (kh + kw),
  });

/** slidingMax by vec4s, without the places: width and ow are multiples of 4. */
export const maxOfFours = defineKernel({
  name: "max_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f" },
  params: slidingParams,
  lib: [bits],
  subgroups: ({ shared }) => shared,
  subgroupSize: ({ shared }) => (shared ? LANES : undefined),
  variants: [...windows, ...sharing],
  main: (v: FoursVariant) => largest(v, false),
  dispatch,
  cost: maxCost(4),
});

/** The same with marks [planes, oh, ow / 4], a byte for each maximum: 16 a + b for row a and column b of its window. */
export const markedMaxOfFours = defineKernel({
  name: "marked_max_of_fours",
  bindings: { x: "read vec4f", y: "read_write vec4f", marks: "read_write u32" },
  params: slidingParams,
  lib: [bits],
  subgroups: ({ shared }) => shared,
  subgroupSize: ({ shared }) => (shared ? LANES : undefined),
  variants: [...windows, ...sharing],
  main: (v: FoursVariant) => largest(v, true),
  dispatch,
  cost: maxCost(5),
});

/** A thread goes over the windows that reach its strip and adds up in workgroup memory, each number in a place of its own. */
const inMemory = (v: FoursVariant): string => {
  const { kh, kw, lead, rows } = v;
  const threads = gradThreads(v);
  /** The window that is the e-th of a line adds to what it marks, where that is the thread's. */
  const given = (e: number) => {
    const [k, lane] = [Math.floor((lead + e) / 4), (lead + e) % 4];
    return `{
          let mark = w${k} >> ${8 * lane}u;
          let r = n - ${kh - 1}u + ((mark >> 4u) & 15u);
          let c = (mark & 15u) + ${e}u - ${kw - 1}u;
          if (r < ${rows}u && c < 4u) { sums[(4u * r + c) * ${threads}u + lane] += d${k}.${components[lane]}; }
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
};

/**
 * A thread goes down the lines of windows, whose marks say to which of the kh rows at hand each number goes: `sA` is the sum
 * of the A-th row from the top of the windows, and the first of them is whole.
 */
const inRegisters = (v: FoursVariant): string => {
  const { kh, kw, rows } = v;
  const byte = (k: number) => `(vec4u(w${k}) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)`;
  return `
    ${linearMain(threads(v), ownLane(true))}
      ${placed(v)}
      ${handedOn(v)}
      let start = (plane * p.oh + row) * across + column;
      ${unroll(kh, (a) => `var s${a} = vec4f();`, " ")}
      for (var n = 0u; n < ${rows + kh - 1}u; n++) {
        let i = first + i32(n);
        let there = i >= 0 && i < i32(p.height);
        let line = base + i * wide + begin;
        ${read(v, "dy", "d", "vec4f")}
        ${read(v, "marks", "w", "u32")}
        ${unroll(
          vecsOf(v),
          (k) => `
        let x${k} = select(vec4f(), d${k}, there && in${k});
        let m${k} = ${byte(k)};`,
        )}
        ${unroll(
          kw,
          (b) => `{
          let given = ${four(v, kw - 1 - b)};
          let mark = ${four(v, kw - 1 - b, "m", "vec4u")};
          ${unroll(kh, (a) => `s${a} += select(vec4f(), given, mark == vec4u(${MARK_ROW * a + b}u));`, " ")}
        }`,
        )}
        if (live && n >= ${kh - 1}u && row + n < p.oh + ${kh - 1}u) { dx[start + (n - ${kh - 1}u) * across] = s0; }
        ${unroll(kh - 1, (a) => `s${a} = s${a + 1};`, " ")}
        s${kh - 1} = vec4f();
      }
    }`;
};

/**
 * dx [planes, oh, ow] from dy [planes, height, width] and its marks: the sums of dy over the windows whose maximum stood
 * here. As adjoints do it runs the other way: oh and ow are the sizes of markedMaxOfFours' inputs, top and left kh - 1 and
 * kw - 1 less its own.
 */
export const maxOfFoursGrad = defineKernel({
  name: "max_of_fours_grad",
  bindings: { dy: "read vec4f", marks: "read u32", dx: "read_write vec4f" },
  params: slidingParams,
  subgroups: ({ shared }) => shared,
  subgroupSize: ({ shared }) => (shared ? LANES : undefined),
  variants: [...windows, ...sharing],
  main: (v: FoursVariant) => (v.shared ? inRegisters(v) : inMemory(v)),
  dispatch: (sizes, v) => linearGroups(strips(sizes, v), v.shared ? threads(v) : gradThreads(v)),
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
