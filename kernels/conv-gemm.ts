import {
  type Flips,
  flips,
  intoPack,
  packBindings,
  packCount,
  packPair,
  packSpot,
  packThreads,
} from "./conv-packs.ts";
import {
  biasAt,
  type ConvEnd,
  endBindings,
  endOf,
  endParams,
  productParams,
  tapParams,
} from "./conv-product.ts";
import { components, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
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

/** w [co, ci, kh, kw] -> [kh kw, ci, co rounded up to 4], or flipped, [kh kw reversed, co, ci rounded up to 4]. */
export const convGemmWeight = defineKernel({
  name: "conv_gemm_weight",
  bindings: (v: Flips) => packBindings(v, "y", "read_write vec4f"),
  params: { co: "u32", ci: "u32", taps: "u32" },
  variants: flips,
  main: (v) => `
    ${linearMain(64)}
      ${packSpot(v, "p.taps")}
      // Neighbouring threads read neighbouring weights.
      let tap = spot % p.taps;
      let line = spot / p.taps;
      let i = select(line % inner, line / vecs, flip);
      let four = select(line / inner, line % vecs, flip);
      let o = four * 4u;
      let place = select(tap, p.taps - 1u - tap, flip);
      ${unroll(4, (q) => `let v${q} = select(0.0, w[${packPair(`(o + ${q}u)`, "i")} * p.taps + place], o + ${q}u < outer);`)}
      ${intoPack(v, "y", (y) => `${y}[(tap * inner + i) * vecs + four] = vec4f(v0, v1, v2, v3);`)}
    }`,
  dispatch: ({ taps, ...p }, v) => linearGroups(packThreads(p, v, taps), 64),
  cost: ({ co, ci, taps }, v) => ({ bytes: 4 * (1 + packCount(v)) * co * ci * taps, flops: 0 }),
});

/**
 * WGSL: the sums of a tile of products of weights and gathered inputs, over `taps` taps, the first of them `tap` and the
 * others by `next`; `places` finds at{q} and in{q} of a tap. Taps are walked through outside and channels inside, so that
 * a tap's place and its bounds are found once for all its channels.
 */
export const gatheredSums = (
  v: Tile,
  { taps, tap, next, places }: Record<"taps" | "tap" | "next" | "places", string>,
): string => `
      ${unroll(4, (q) => `var at${q} = 0u; var in${q} = false;`, " ")}
      var tap = ${tap};
      ${places}
      ${tileSums(v)}
      ${gatheredLoop(
        v,
        {
          name: "a",
          length: v.rows,
          alongK: false,
          load: (i, k) =>
            `select(vec4f(), w[(tap * p.ci + min(${k}, p.ci - 1u)) * vecs + min(${i} / 4u, vecs - 1u)], ${k} < p.ci)`,
        },
        {
          name: "b",
          length: v.columns,
          alongK: false,
          load: (_, k) => {
            const one = (q: number) =>
              `select(0.0, x[at${q} + min(${k}, p.ci - 1u) * size], in${q} && ${k} < p.ci)`;
            return `vec4f(${[0, 1, 2, 3].map(one).join(", ")})`;
          },
        },
        {
          steps: `${taps} * ((p.ci + ${v.slab - 1}u) / ${v.slab}u)`,
          next: `
          k0 += ${v.slab}u;
          if (k0 >= p.ci) {
            k0 = 0u;
            ${next}
            ${places}
          }`,
        },
      )}`;

/** WGSL: the places of inputs so far from y{q} and x{q} of image{q}. */
export const placesAt = (down: string, right: string): string =>
  unroll(
    4,
    (q) => `{
          let y = y${q} + ${down};
          let x = x${q} + ${right};
          in${q} = y >= 0 && x >= 0 && y < i32(p.height) && x < i32(p.width);
          at${q} = select(0u, image${q} + u32(y) * p.width + u32(x), in${q});
        }`,
  );

type ConvGemmVariant = Tile & ConvEnd;

/**
 * A convolution as the product of weights [co, kh kw ci] and the inputs that each output sees, [kh kw ci, n oh ow], which
 * are gathered slab by slab and never stand in memory: y [n, co, oh, ow] from x [n, ci, height, width] and w as
 * convGemmWeight packs it. Any stride, padding and dilation.
 */
export const convGemm = defineKernel({
  name: "conv_gemm",
  bindings: (v: ConvGemmVariant) => ({ x: "read f32", w: "read vec4f", ...endBindings(v) }) as const,
  params: {
    ...productParams,
    ...tapParams,
    ...endParams,
    height: "u32",
    width: "u32",
    top: "i32",
    left: "i32",
  },
  workgroupBytes: tileBytes,
  variants: testedTiles.flatMap((v, i) =>
    [true, false]
      .flatMap((vec) => [false, true].map((residual): ConvGemmVariant => ({ ...v, residual, vec })))
      .slice(0, i === 0 ? 4 : 1),
  ),
  main: (v: ConvGemmVariant) => {
    const { columns, vec } = v;
    return `
    ${tileArrays(v)}
    ${linearMain(tileThreads(v))}
      ${tilePlace(v)}
      if (batch >= 1u) { return; }
      let plane = p.oh * p.ow;
      let size = p.height * p.width;
      let vecs = (p.m + 3u) / 4u;
      // A thread gathers for the same four outputs throughout.
      let four = n0 + lane % ${columns / 4}u * 4u;
      ${unroll(
        4,
        (q) => `
      let spot${q} = min(four + ${q}u, p.n - 1u);
      let y${q} = i32((spot${q} % plane) / p.ow * p.strideY) - p.top;
      let x${q} = i32(spot${q} % p.ow * p.strideX) - p.left;
      let image${q} = spot${q} / plane * p.ci * size;`,
      )}
      ${gatheredSums(v, { taps: "p.kh * p.kw", tap: "0u", next: "tap++;", places: tapPlaces })}
      ${unroll(v.eachColumns / 4, (q) => {
        const column = `(n0 + across * 4u + ${(q * 4 * columns) / v.eachColumns}u)`;
        return vec
          ? `let sample${q} = ${column} / plane; let out${q} = sample${q} * p.m * plane + ${column} % plane;`
          : "";
      })}
      ${tileEnds(v, (row, sum, column, q) =>
        vec
          ? `
          if (${column} < p.n) {
            let out = (out${q} + ${row} * plane) / 4u;
            let b = ${biasAt(`sample${q}`, `${row}`)};
            y[out] = ${endOf(v, sum)};
          }`
          : unroll(
              4,
              (c) => `
          if (${column} + ${c}u < p.n) {
            let n = (${column} + ${c}u) / plane;
            let out = (n * p.m + ${row}) * plane + (${column} + ${c}u) % plane;
            let b = ${biasAt("n", `${row}`)};
            y[out] = ${endOf(v, `${sum}.${components[c]}`)};
          }`,
            ),
      )}
    }`;
  },
  dispatch: ({ m, n }, v) => linearGroups(tileCount(1, m, n, v), 1),
  cost: ({ m, n, ci, height, width, oh, ow, kh, kw }) => ({
    bytes: 4 * ((n / (oh * ow)) * ci * height * width + m * ci * kh * kw + m * n),
    flops: 2 * m * n * ci * kh * kw,
  }),
});

/** WGSL: where a tap's input of each of the thread's outputs stands in the first channel, and whether there is one. */
const tapPlaces = `{
        let down = i32(tap / p.kw * p.dilationY);
        let right = i32(tap % p.kw * p.dilationX);
        ${placesAt("down", "right")}
      }`;
