import { type Binding, components, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import {
  gatheredLoop,
  type Tile,
  tileArrays,
  tileBytes,
  tileCount,
  tileEnds,
  tilePlace,
  tileSums,
  tileThreads,
} from "./tile.ts";
import { testedTiles } from "./tile-choice.ts";

type ConvWeightGemmVariant = Tile & {
  /** Rows of dy have a multiple of four: dy is read in fours. */
  vec: boolean;
};

/**
 * The weight gradient as a product over positions, of dy [co, n oh ow] and the inputs that each position's taps see,
 * gathered: partial sums [splits, co, kh kw, ci rounded up to 4], each over `span` positions, from dy [n, co, oh, ow] and
 * x [n, ci, height, width]. Any stride, padding and dilation. convWeightSum adds them up.
 */
export const convWeightGemm = defineKernel({
  name: "conv_weight_gemm",
  bindings: ({ vec }: ConvWeightGemmVariant) =>
    ({ dy: vec ? "read vec4f" : "read f32", x: "read f32", parts: "read_write vec4f" }) as Record<
      "dy" | "x" | "parts",
      Binding
    >,
  params: {
    /** Channels of dy; taps times channels of x rounded up to 4; positions of all images. */
    m: "u32",
    n: "u32",
    k: "u32",
    span: "u32",
    ci: "u32",
    height: "u32",
    width: "u32",
    oh: "u32",
    ow: "u32",
    kw: "u32",
    strideY: "u32",
    strideX: "u32",
    dilationY: "u32",
    dilationX: "u32",
    top: "i32",
    left: "i32",
  },
  workgroupBytes: tileBytes,
  variants: testedTiles.flatMap((v, i) => (i === 0 ? [true, false] : [true]).map((vec) => ({ ...v, vec }))),
  main: (v: ConvWeightGemmVariant) => `
    ${tileArrays(v)}
    ${linearMain(tileThreads(v))}
      ${tilePlace(v)}
      let first = batch * p.span;
      if (first >= p.k) { return; }
      let last = min(first + p.span, p.k);
      let plane = p.oh * p.ow;
      let size = p.height * p.width;
      let channels = (p.ci + 3u) / 4u * 4u;
      ${tileSums(v)}
      ${gatheredLoop(
        v,
        {
          name: "a",
          length: v.rows,
          alongK: true,
          prepare: v.vec
            ? `
          let spot = min(first + k, last - 4u);
          let inside = first + k < last;
          let at = spot / plane * p.m * plane + spot % plane;`
            : unroll(
                4,
                (q) => `
          let spot${q} = min(first + k + ${q}u, last - 1u);
          let in${q} = first + k + ${q}u < last;
          let at${q} = spot${q} / plane * p.m * plane + spot${q} % plane;`,
              ),
          load: (i) => {
            const row = `min(${i}, p.m - 1u) * plane`;
            return v.vec
              ? `select(vec4f(), dy[(at + ${row}) / 4u], inside)`
              : fourOf((q) => `select(0.0, dy[at${q} + ${row}], in${q})`);
          },
        },
        {
          name: "b",
          length: v.columns,
          alongK: true,
          gathered: true,
          prepare: `
          let tap = i / channels;
          let channel = i % channels;
          let down = i32(tap / p.kw * p.dilationY) - p.top;
          let right = i32(tap % p.kw * p.dilationX) - p.left;
          ${v.vec ? "let four = min(first + k, last - 4u);" : ""}
          ${unroll(
            4,
            (q) => `
          let spot${q} = ${v.vec ? `four + ${q}u` : `min(first + k + ${q}u, last - 1u)`};
          let y${q} = i32(${v.vec ? "four" : `spot${q}`} % plane / p.ow * p.strideY) + down;
          let x${q} = i32(${v.vec ? `(four % p.ow + ${q}u)` : `spot${q} % p.ow`} * p.strideX) + right;
          let in${q} = first + k + ${q}u < last && y${q} >= 0 && x${q} >= 0 && y${q} < i32(p.height) && x${q} < i32(p.width);
          let at${q} = select(0u, ${v.vec ? "four" : `spot${q}`} / plane * p.ci * size + u32(y${q}) * p.width + u32(x${q}), in${q});`,
          )}`,
          load: (_i, _k, j) =>
            fourOf((q) => `select(0.0, x[at${q} + min(channel + ${j}u, p.ci - 1u) * size], in${q})`),
        },
        { steps: `(last - first + ${v.slab - 1}u) / ${v.slab}u`, next: `k0 += ${v.slab}u;` },
      )}
      ${tileEnds(
        v,
        (row, sum, column) =>
          `if (${column} < p.n) { parts[((batch * p.m + ${row}) * p.n + ${column}) / 4u] = ${sum}; }`,
      )}
    }`,
  dispatch: ({ m, n, k, span }, v) => linearGroups(tileCount(Math.ceil(k / span), m, n, v), 1),
  cost: ({ m, n, k, span, ci, height, width, oh, ow }) => ({
    bytes: 4 * (m * k + (k / (oh * ow)) * ci * height * width + Math.ceil(k / span) * m * n),
    flops: 2 * m * n * k,
  }),
});

const fourOf = (one: (q: number) => string): string => `vec4f(${[0, 1, 2, 3].map(one).join(", ")})`;

/** parts [splits, co, taps, ci rounded up to 4] -> their sum, [co, ci, taps]. */
export const convWeightSum = defineKernel({
  name: "conv_weight_sum",
  bindings: { parts: "read vec4f", dw: "read_write f32" },
  params: { splits: "u32", co: "u32", ci: "u32", taps: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      let vecs = (p.ci + 3u) / 4u;
      let size = p.co * p.taps * vecs;
      if (thread >= size) { return; }
      var sum = vec4f();
      for (var s = 0u; s < p.splits; s++) { sum += parts[s * size + thread]; }
      let ci = thread % vecs * 4u;
      let tap = thread / vecs % p.taps;
      let co = thread / (vecs * p.taps);
      ${unroll(4, (q) => `if (ci + ${q}u < p.ci) { dw[(co * p.ci + ci + ${q}u) * p.taps + tap] = sum.${components[q]}; }`)}
    }`,
  dispatch: ({ co, ci, taps }) => linearGroups(co * taps * Math.ceil(ci / 4), 64),
  cost: ({ splits, co, ci, taps }) => ({
    bytes: 4 * co * ci * taps * (splits + 1),
    flops: splits * co * ci * taps,
  }),
});
