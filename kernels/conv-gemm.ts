import { type Binding, defineKernel, linearGroups, linearMain } from "./kernel.ts";
import {
  matmulShared,
  type SharedVariant,
  sharedEnds,
  sharedPlace,
  sharedProducts,
  sharedSums,
  sharedThreads,
} from "./matmul.ts";

/** Tiles of the shared matrix product; the largest would take a software driver a minute to compile. */
export const convGemmTiles: readonly SharedVariant[] = matmulShared.variants.filter(({ tile }) => tile < 128);

export type ConvGemmVariant = SharedVariant & { residual: boolean };

/**
 * A convolution as the product of weights [co, ci kh kw] and the inputs that each output sees, [ci kh kw, n oh ow], which
 * are gathered slab by slab and never stand in memory: y [n, co, oh, ow] from x [n, ci, height, width] and w
 * [co, ci, kh, kw], or, flipped, [ci, co, kh, kw] with its taps backwards. Any stride, padding and dilation; x's neighbours
 * may stand apart with zeros between, for the gradient of a stride. Products are added in convRows' order.
 */
export const convGemm = defineKernel({
  name: "conv_gemm",
  bindings: ({ residual }: ConvGemmVariant) =>
    ({
      x: "read f32",
      w: "read f32",
      bias: "read f32",
      ...(residual && { residual: "read f32" }),
      y: "read_write f32",
    }) as Record<"x" | "w" | "bias" | "residual" | "y", Binding>,
  params: {
    /** Channels out; outputs of all images; channels in times taps. */
    m: "u32",
    n: "u32",
    k: "u32",
    ci: "u32",
    height: "u32",
    width: "u32",
    oh: "u32",
    ow: "u32",
    kh: "u32",
    kw: "u32",
    strideY: "u32",
    strideX: "u32",
    dilationY: "u32",
    dilationX: "u32",
    top: "i32",
    left: "i32",
    stepY: "u32",
    stepX: "u32",
    flip: "u32",
    useBias: "u32",
    /** From one sample's bias to the next's: 0 where all have the same. */
    biasPitch: "u32",
    rescale: "f32",
  },
  variants: convGemmTiles.flatMap((v) =>
    [false, true].map((residual): ConvGemmVariant => ({ ...v, residual })),
  ),
  main: (v: ConvGemmVariant) => {
    const { tile, slab, residual } = v;
    const threads = sharedThreads(v);
    const value = (sum: string) => (residual ? `(${sum} + b + residual[out]) * p.rescale` : `${sum} + b`);
    return `
    var<workgroup> ta: array<f32, ${slab * (tile + 4)}>;
    var<workgroup> tb: array<f32, ${slab * (tile + 4)}>;
    ${linearMain(threads)}
      ${sharedPlace(v)}
      if (batch >= 1u) { return; }
      let taps = p.kh * p.kw;
      let plane = p.oh * p.ow;
      // A thread gathers for one output throughout: ${threads} threads are whole lines of ${tile}.
      let bn = lane % ${tile}u;
      let spot = min(n0 + bn, p.n - 1u);
      let y0 = i32((spot % plane) / p.ow * p.strideY) - p.top;
      let x0 = i32(spot % p.ow * p.strideX) - p.left;
      let image = spot / plane * p.ci;
      ${sharedSums(v)}
      for (var k0 = 0u; k0 < p.k; k0 += ${slab}u) {
        for (var e = lane; e < ${tile * slab}u; e += ${threads}u) {
          {
            let am = e / ${slab}u;
            let k = k0 + e % ${slab}u;
            let inside = m0 + am < p.m && k < p.k;
            let ci = k / taps;
            let tap = k % taps;
            let at = select((m0 + am) * p.k + k, (ci * p.m + m0 + am) * taps + taps - 1u - tap, p.flip == 1u);
            ta[e % ${slab}u * ${tile + 4}u + am] = select(0.0, w[select(0u, at, inside)], inside);
          }
          {
            let bk = e / ${tile}u;
            let k = k0 + bk;
            let tap = k % taps;
            let y = y0 + i32(tap / p.kw * p.dilationY);
            let x1 = x0 + i32(tap % p.kw * p.dilationX);
            let row = y / i32(p.stepY);
            let column = x1 / i32(p.stepX);
            let inside = y >= 0 && x1 >= 0 && row < i32(p.height) && column < i32(p.width)
              && row * i32(p.stepY) == y && column * i32(p.stepX) == x1 && k < p.k;
            let at = ((image + k / taps) * p.height + u32(row)) * p.width + u32(column);
            tb[bk * ${tile + 4}u + bn] = select(0.0, x[select(0u, at, inside)], inside);
          }
        }
        workgroupBarrier();
        ${sharedProducts(v)}
        workgroupBarrier();
      }
      ${sharedEnds(
        v,
        (row, sum, column) => `
          let n = ${column} / plane;
          let out = (n * p.m + ${row}) * plane + ${column} % plane;
          let b = select(0.0, bias[(n * p.biasPitch + ${row}) * p.useBias], p.useBias == 1u);
          y[out] = ${value(sum)};`,
      )}
    }`;
  },
  dispatch: ({ m, n }, { tile }) => linearGroups(Math.ceil(n / tile) * Math.ceil(m / tile), 1),
  cost: ({ m, n, k, ci, height, width, oh, ow }) => ({
    bytes: 4 * ((n / (oh * ow)) * ci * height * width + m * k + m * n),
    flops: 2 * m * n * k,
  }),
});
