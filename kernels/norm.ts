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
import { type Binding, defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { math } from "./lib/math.ts";
import { elementType, forEachInRow, type RunVariant, rowGroups, runVariants } from "./runs.ts";

/*
 * Instance norm, instance norm++ and group norm in three launches each way, x as [n, c, hw]:
 *
 *   y = act(gamma (xhat + alpha u) + beta),  xhat = (x - center) rstd
 *
 *   moments       per map       mean and sum of centred squares
 *   statistics    per map       center, rstd of its group; for ++ also u = (mean - m) / sqrt(v + eps), with m and
 *                               the unbiased v over the channels' means (Song & Ermon 2019, appendix A)
 *   apply         per element
 *   gradSums      per map       S1 = sum g, S2 = sum g xhat, with g = dy act'(z)
 *   gradFactors   per map       dx = A g + B + C xhat, and the parameters' gradients of this image
 *   gradApply     per element
 *
 * gamma, beta and alpha are [c], or [n, c] for conditional norms, or stand side by side in rows [n, parts c].
 */

export const normActivations = ["none", "elu", "silu", "relu", "leakyRelu"] as const;
export type NormActivation = (typeof normActivations)[number];

/** The activation of z, and its derivative, as WGSL that may use `p.slope`. */
export const activationValue: Record<NormActivation, string> = {
  none: "z",
  elu: "select(z, expm1_minus(-z), z < 0.0)",
  silu: "z * logistic(z)",
  relu: "select(select(z, 0.0, z < 0.0), z, is_nan(z))", // drivers make a maximum of the inner one, which drops NaN
  leakyRelu: "select(z, z * p.slope, z < 0.0)",
};
export const activationSlope: Record<NormActivation, string> = {
  none: "1.0",
  elu: "select(exp_minus(-z), 1.0, z > 0.0)",
  silu: "logistic(z) * (1.0 + z * (1.0 - logistic(z)))",
  relu: "select(0.0, 1.0, z > 0.0)",
  leakyRelu: "select(p.slope, 1.0, z > 0.0)",
};

/**
 * x [maps, hw] -> [maps, 2]: mean and sum of centred squares, in two sweeps: never E[x^2] - E[x]^2. A long sum of equal
 * numbers rounds to one side all along, so the second sweep finds by how much the first missed (Chan, Golub and LeVeque 1983).
 */
export const normMoments = defineKernel({
  name: "norm_moments",
  bindings: ({ vec }: FoldVariant) => ({ x: `read ${elementType(vec)}`, moments: "read_write f32" }) as const,
  params: { maps: "u32", hw: "u32" },
  lib: ({ vec }) => [sumOf(vec)],
  subgroups: needsSubgroups,
  variants: foldVariants,
  main: (v) => `
    ${eachRow(v, { rows: "p.maps", columns: "p.hw", part: "vec2f" })}
      var a = ${elementType(v.vec)}();
      ${along(v, "a += x[i];")}
      var total = vec2f(sum(a), 0.0);
      ${meet(v, "total")}
      let near = total.x / f32(p.hw);
      var b = ${elementType(v.vec)}();
      var c = b;
      ${along(v, "let d = x[i] - near; b += d * d; c += d;")}
      var both = vec2f(sum(b), sum(c));
      ${meet(v, "both")}
      let missed = both.y / f32(p.hw);
      ${once(v, "moments[row * 2u] = near + missed; moments[row * 2u + 1u] = max(both.x - both.y * missed, 0.0);")}
    }`,
  dispatch: ({ maps }, v) => foldGroups(maps, v),
  cost: ({ maps, hw }) => ({ bytes: 4 * maps * hw, flops: 4 * maps * hw }),
});

type ImageVariant = {
  /** A thread computes for one map; or for all of an image, what they share only once: for CPU drivers. */
  by: "map" | "image";
};
const imageVariants: readonly ImageVariant[] = [{ by: "map" }, { by: "image" }];

/** Small workgroups spread few images over the cores. */
const IMAGES = 8;

/**
 * WGSL of a kernel over maps. `ofImage` knows the first map `image` of an image, `ofGroup` the first map `first` of a
 * group too, and `ofMap` also the `map`.
 */
const forEachMap = (
  { by }: ImageVariant,
  { ofImage, ofGroup, ofMap }: Record<"ofImage" | "ofGroup" | "ofMap", string>,
): string =>
  by === "map"
    ? `
    ${linearMain(64)}
      let map = thread;
      if (map >= p.maps) { return; }
      let image = (map / p.channels) * p.channels;
      let first = map - (map - image) % p.groupSize;
      ${ofImage}
      ${ofGroup}
      ${ofMap}
    }`
    : `
    ${linearMain(IMAGES)}
      let image = thread * p.channels;
      if (image >= p.maps) { return; }
      ${ofImage}
      for (var first = image; first < image + p.channels; first += p.groupSize) {
        ${ofGroup}
        for (var map = first; map < first + p.groupSize; map++) {
          ${ofMap}
        }
      }
    }`;
const imageGroups = ({ maps, channels }: { maps: number; channels: number }, { by }: ImageVariant) =>
  by === "map" ? linearGroups(maps, 64) : linearGroups(maps / channels, IMAGES);

/** moments [n, c, 2] -> statistics [n, c] vec4s (center, rstd, u, 1 / sqrt(v + eps)). */
export const normStatistics = defineKernel({
  name: "norm_statistics",
  bindings: { moments: "read f32", statistics: "read_write vec4f" },
  params: { maps: "u32", channels: "u32", groupSize: "u32", hw: "u32", eps: "f32", plus: "u32" },
  variants: imageVariants,
  main: (v) =>
    forEachMap(v, {
      ofImage: `
      var m = 0.0;
      var ustd = 0.0;
      if (p.plus == 1u && p.channels > 1u) {
        for (var k = image; k < image + p.channels; k++) { m += moments[k * 2u]; }
        m = m / f32(p.channels);
        var v = 0.0;
        for (var k = image; k < image + p.channels; k++) { let d = moments[k * 2u] - m; v += d * d; }
        ustd = 1.0 / sqrt(v / f32(p.channels - 1u) + p.eps);
      }`,
      ofGroup: `
      var mean = 0.0;
      for (var k = first; k < first + p.groupSize; k++) { mean += moments[k * 2u]; }
      mean = mean / f32(p.groupSize);
      var squares = 0.0;
      for (var k = first; k < first + p.groupSize; k++) {
        let d = moments[k * 2u] - mean;
        squares += moments[k * 2u + 1u] + d * d * f32(p.hw);
      }
      let rstd = 1.0 / sqrt(squares / f32(p.groupSize * p.hw) + p.eps);`,
      ofMap: "statistics[map] = vec4f(mean, rstd, (moments[map * 2u] - m) * ustd, ustd);",
    }),
  dispatch: (p, v) => imageGroups(p, v),
  cost: ({ maps, groupSize }) => ({ bytes: 24 * maps, flops: 4 * maps * groupSize }),
});

/** Parameters of the maps: see the head of this file. */
export const affine = {
  gamma: "read f32",
  beta: "read f32",
  alpha: "read f32",
} as const;
export const affineParams = {
  maps: "u32",
  hw: "u32",
  channels: "u32",
  /** From one image's parameters to the next's: 0 where all have the same. */
  pitch: "u32",
  /** Where a row's parameters start. */
  gammaAt: "u32",
  betaAt: "u32",
  alphaAt: "u32",
  useGamma: "u32",
  useBeta: "u32",
  useAlpha: "u32",
  slope: "f32",
} as const;
/** Parameters of a channel in the row that begins there, with their neutral values where the norm has none. */
export const affineAt = `
fn affine_at(row: u32, channel: u32) -> vec3f {
  let at = row + channel;
  return vec3f(
    select(1.0, gamma[(at + p.gammaAt) * p.useGamma], p.useGamma == 1u),
    select(0.0, beta[(at + p.betaAt) * p.useBeta], p.useBeta == 1u),
    select(1.0, alpha[(at + p.alphaAt) * p.useAlpha], p.useAlpha == 1u));
}`;
/** Those of a map. */
export const affineLib = `${affineAt}
fn affine(map: u32) -> vec3f { return affine_at((map / p.channels) * p.pitch, map % p.channels); }`;
/** A row's statistics, parameters and what is added to gamma xhat. */
export const ofRow = `
      let s = statistics[row];
      let f = affine(row);
      let shift = f.y + f.x * f.z * s.z;`;

type NormVariant = RunVariant & { act: NormActivation };

/** Of kernels that write dx. */
export type BeforeVariant = {
  /** To the gradient that x had before, of dx's shape, this one is added. */
  before: boolean;
};
export const beforeBinding = ({ before }: BeforeVariant, vec: boolean) =>
  before && { before: `read ${elementType(vec)}` };
/** WGSL that writes a place of dx. */
export const writeDx = ({ before }: BeforeVariant, at: string, value: string): string =>
  `dx[${at}] = ${before ? `before[${at}] + (${value})` : value};`;
/** Beside `before` there is no room for alpha in the eight arrays that every adapter binds: it stands in gamma's array. */
export const affineBeside = ({ before }: BeforeVariant) =>
  before ? ({ gamma: "read f32", beta: "read f32" } as const) : affine;
export const affineLibBeside = ({ before }: BeforeVariant): string =>
  before ? affineLib.replace(/\balpha\[/g, "gamma[") : affineLib;
export const dxBytes = ({ before }: BeforeVariant): number => (before ? 8 : 4);

const elementVariants = normActivations.flatMap((act) =>
  runVariants.map((v): NormVariant => ({ act, ...v })),
);

export const normApply = defineKernel({
  name: "norm_apply",
  bindings: ({ vec }: NormVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      statistics: "read vec4f",
      ...affine,
      y: `read_write ${elementType(vec)}`,
    }) as const,
  params: affineParams,
  lib: [...math, affineLib],
  variants: elementVariants,
  main: (v) => `
    fn act(z: f32) -> f32 { return ${activationValue[v.act]}; }
    ${forEachInRow(v, {
      rows: "p.maps",
      columns: "p.hw",
      once: ofRow,
      body: `
      let z = f.x * ((x[at] - s.x) * s.y) + shift;
      y[at] = ${lanewise(v.vec, (l) => `act(z${l})`)};`,
    })}`,
  dispatch: ({ maps, hw }, v) => rowGroups(maps, hw, v),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 6 * maps * hw }),
});

/** Of an element: xhat, and the derivative of the norm's result before gamma. */
export const gradient = (vec: boolean, at: string) => `
      let h = (x[${at}] - s.x) * s.y;
      let z = f.x * h + shift;
      let g = dy[${at}] * ${lanewise(vec, (l) => `slope(z${l})`)};`;

type NormSumsVariant = FoldVariant & { act: NormActivation };

/** S1 and S2 of each map, [maps, 2]. */
export const normGradSums = defineKernel({
  name: "norm_grad_sums",
  bindings: ({ vec }: NormSumsVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      dy: `read ${elementType(vec)}`,
      statistics: "read vec4f",
      ...affine,
      sums: "read_write f32",
    }) as const,
  params: affineParams,
  lib: ({ vec }) => [...math, affineLib, sumOf(vec)],
  subgroups: needsSubgroups,
  variants: normActivations.flatMap((act) => foldVariants.map((v): NormSumsVariant => ({ act, ...v }))),
  main: (v) => `
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${eachRow(v, { rows: "p.maps", columns: "p.hw", part: "vec2f" })}
      ${ofRow}
      var a = ${elementType(v.vec)}();
      var b = ${elementType(v.vec)}();
      ${along(v, `${gradient(v.vec, "i")} a += g; b += g * h;`)}
      var both = vec2f(sum(a), sum(b));
      ${meet(v, "both")}
      ${once(v, "sums[row * 2u] = both.x; sums[row * 2u + 1u] = both.y;")}
    }`,
  dispatch: ({ maps }, v) => foldGroups(maps, v),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/**
 * factors [maps] vec4s (A, B, C, 0), and d(gamma, beta, alpha) of each image side by side in rows of `width`, where
 * those that are used start at dGammaAt, dBetaAt and dAlphaAt (see the head of this file).
 */
export const normGradFactors = defineKernel({
  name: "norm_grad_factors",
  bindings: {
    sums: "read f32",
    statistics: "read vec4f",
    ...affine,
    factors: "read_write vec4f",
    grads: "read_write f32",
  },
  params: {
    ...affineParams,
    groupSize: "u32",
    plus: "u32",
    width: "u32",
    dGammaAt: "u32",
    dBetaAt: "u32",
    dAlphaAt: "u32",
  },
  lib: [affineLib],
  variants: imageVariants,
  main: (v) =>
    forEachMap(v, {
      ofImage: `
      var total = 0.0;
      var along = 0.0;
      if (p.plus == 1u && p.channels > 1u) {
        for (var k = image; k < image + p.channels; k++) {
          let fk = affine(k);
          let h = fk.x * fk.z * sums[k * 2u];
          total += h;
          along += h * statistics[k].z;
        }
        total = total / f32(p.channels);
        along = along / f32(p.channels - 1u);
      }`,
      ofGroup: `
      var a = 0.0;
      var b = 0.0;
      for (var k = first; k < first + p.groupSize; k++) {
        let gamma = affine(k).x;
        a += gamma * sums[k * 2u];
        b += gamma * sums[k * 2u + 1u];
      }`,
      ofMap: `
      let s = statistics[map];
      let f = affine(map);
      let s1 = sums[map * 2u];
      let s2 = sums[map * 2u + 1u];
      let m = f32(p.groupSize * p.hw);
      let dmu = (f.x * f.z * s1 - total - s.z * along) * s.w; // 0 but for ++, whose s.w is not
      factors[map] = vec4f(f.x * s.y, dmu / f32(p.hw) - s.y * a / m, -s.y * b / m, 0.0);
      let at = (image / p.channels) * p.width + map - image;
      if (p.useGamma == 1u) { grads[at + p.dGammaAt] = s2 + f.z * s.z * s1; }
      if (p.useBeta == 1u) { grads[at + p.dBetaAt] = s1; }
      if (p.useAlpha == 1u) { grads[at + p.dAlphaAt] = f.x * s.z * s1; }`,
    }),
  dispatch: (p, v) => imageGroups(p, v),
  cost: ({ maps, groupSize }) => ({ bytes: 60 * maps, flops: 4 * maps * groupSize }),
});

type NormGradVariant = NormVariant & BeforeVariant;

export const normGradApply = defineKernel({
  name: "norm_grad_apply",
  bindings: ({ vec, ...v }: NormGradVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      dy: `read ${elementType(vec)}`,
      statistics: "read vec4f",
      ...affineBeside(v),
      factors: "read vec4f",
      ...beforeBinding(v, vec),
      dx: `read_write ${elementType(vec)}`,
    }) as Record<keyof typeof affine | "x" | "dy" | "statistics" | "factors" | "before" | "dx", Binding>,
  params: affineParams,
  lib: (v) => [...math, affineLibBeside(v)],
  variants: [
    ...elementVariants.map((v): NormGradVariant => ({ ...v, before: false })),
    ...runVariants.map((v): NormGradVariant => ({ act: "elu", ...v, before: true })), // with others on demand
  ],
  main: (v) => `
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${forEachInRow(v, {
      rows: "p.maps",
      columns: "p.hw",
      once: `${ofRow} let c = factors[row];`,
      body: `${gradient(v.vec, "at")} ${writeDx(v, "at", "c.x * g + c.y + c.z * h")}`,
    })}`,
  dispatch: ({ maps, hw }, v) => rowGroups(maps, hw, v),
  cost: ({ maps, hw }, v) => ({ bytes: (8 + dxBytes(v)) * maps * hw, flops: 12 * maps * hw }),
});
