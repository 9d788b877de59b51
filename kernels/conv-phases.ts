import { gatheredSums, placesAt } from "./conv-gemm.ts";
import { components, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { type Tile, tileArrays, tileBytes, tileCount, tileEnds, tilePlace, tileThreads } from "./tile.ts";
import { testedTiles } from "./tile-choice.ts";

/*
 * The gradient of a stride s in its input. Input y is seen by output o through tap i where o s + i d = y + top. With the
 * taps read backwards, t = k - 1 - i, and top' = d (k - 1) - top, that is o s = y - top' + t d: of the taps those t serve
 * y for which s divides the right side. Inputs fall into s classes by their place modulo s. With g = gcd(s, d), taps t0,
 * t0 + s/g, ... share a class, whose neighbours' outputs are neighbours and whose taps' outputs stand d/g apart: each
 * class is a convolution of stride 1 by its own taps, and none multiplies a zero that a stride would put between. Classes
 * that no tap serves, as there are where g > 1, are zero. Across likewise.
 */

/** s/g: from one tap of a class to its next. */
export function tapStep(stride: number, dilation: number): number {
  let [a, b] = [stride, dilation];
  while (b > 0) [a, b] = [b, a % b];
  return stride / a;
}

/** WGSL: the i-th class along an axis. Those of most taps come first, those of none last. */
export const phaseOf = `
struct Phase {
  // The first tap, and how many.
  first: u32,
  taps: u32,
  // The class' first place in y, and the row or column of x that its first tap sees from there.
  place: i32,
  origin: i32,
}
fn phaseOf(i: u32, step: u32, apart: u32, dilation: u32, before: i32, kernel: u32) -> Phase {
  let first = i % apart;
  let lead = before - i32(first * dilation) + i32(i / apart);
  let s = i32(step);
  let whole = lead / s - select(0, 1, lead % s < 0);
  let taps = select(0u, (max(kernel, first) - first + apart - 1u) / apart, i < apart);
  return Phase(first, taps, lead - whole * s, -whole);
}`;

/** Of x [height, width] and y [oh, ow]. */
export const phaseParams = {
  height: "u32",
  width: "u32",
  oh: "u32",
  ow: "u32",
  /** Places of the largest class. */
  rows: "u32",
  columns: "u32",
  kh: "u32",
  kw: "u32",
  /** The stride, and from one tap of a class to its next. */
  stepY: "u32",
  stepX: "u32",
  apartY: "u32",
  apartX: "u32",
  dilationY: "u32",
  dilationX: "u32",
  top: "i32",
  left: "i32",
} as const;

/**
 * conv_gemm for the gradient of a stride: y [images, m, oh, ow] from x [images, ci, height, width] and w as
 * convGemmWeight packs it flipped. Each class of outputs is a product of its own, its columns p.n places of all images.
 *
 * A thread's four columns stand a quarter of the tile apart, so that neighbouring threads read and write neighbours.
 */
export const convPhases = defineKernel({
  name: "conv_phases",
  bindings: { x: "read f32", w: "read vec4f", y: "read_write f32" },
  params: {
    m: "u32",
    n: "u32",
    ci: "u32",
    ...phaseParams,
  },
  lib: [phaseOf],
  workgroupBytes: tileBytes,
  variants: [testedTiles[0]!, testedTiles.at(-1)!],
  main: (v: Tile) => {
    const quarter = v.columns / 4;
    return `
    ${tileArrays(v)}
    ${linearMain(tileThreads(v))}
      ${tilePlace(v)}
      if (batch >= p.stepY * p.stepX) { return; }
      let py = phaseOf(batch / p.stepX, p.stepY, p.apartY, p.dilationY, p.top, p.kh);
      let px = phaseOf(batch % p.stepX, p.stepX, p.apartX, p.dilationX, p.left, p.kw);
      // From one tap of the class to the next, in x.
      let nearY = p.dilationY * p.apartY / p.stepY;
      let nearX = p.dilationX * p.apartX / p.stepX;
      let plane = p.rows * p.columns;
      let size = p.height * p.width;
      let vecs = (p.m + 3u) / 4u;
      ${unroll(
        4,
        (q) => `
      let spot${q} = min(n0 + lane % ${quarter}u + ${q * quarter}u, p.n - 1u);
      let y${q} = i32(spot${q} % plane / p.columns) + py.origin;
      let x${q} = i32(spot${q} % p.columns) + px.origin;
      let image${q} = spot${q} / plane * p.ci * size;`,
      )}
      var tapY = 0u;
      var tapX = 0u;
      ${gatheredSums(v, {
        taps: "py.taps * px.taps",
        tap: "py.first * p.kw + px.first",
        next: `
            tapX++;
            if (tapX >= px.taps) { tapX = 0u; tapY++; }
            tap = (py.first + tapY * p.apartY) * p.kw + px.first + tapX * p.apartX;`,
        places: placesAt("i32(tapY * nearY)", "i32(tapX * nearX)"),
      })}
      let full = p.oh * p.ow;
      ${unroll(v.eachColumns / 4, (q) =>
        unroll(
          4,
          (c) => `
      let n${q}_${c} = n0 + across + ${(q * v.columns) / v.eachColumns + c * quarter}u;
      let oh${q}_${c} = n${q}_${c} % plane / p.columns * p.stepY + u32(py.place);
      let ow${q}_${c} = n${q}_${c} % p.columns * p.stepX + u32(px.place);
      let kept${q}_${c} = n${q}_${c} < p.n && oh${q}_${c} < p.oh && ow${q}_${c} < p.ow;
      let out${q}_${c} = n${q}_${c} / plane * p.m * full + oh${q}_${c} * p.ow + ow${q}_${c};`,
        ),
      )}
      ${tileEnds(v, (row, sum, _, q) =>
        unroll(4, (c) => `if (kept${q}_${c}) { y[out${q}_${c} + ${row} * full] = ${sum}.${components[c]}; }`),
      )}
    }`;
  },
  dispatch: ({ m, n, stepY, stepX }, v) => linearGroups(tileCount(stepY * stepX, m, n, v), 1),
  cost: ({ m, n, ci, height, width, oh, ow, rows, columns, kh, kw }) => {
    const images = n / (rows * columns);
    return {
      bytes: 4 * (images * (ci * height * width + m * oh * ow) + m * ci * kh * kw),
      flops: 2 * images * m * ci * height * width * kh * kw,
    };
  },
});
