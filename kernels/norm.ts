import { defineKernel, linearGroups, linearMain } from "./kernel.ts";
import { math } from "./lib/math.ts";

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
 * gamma, beta and alpha are [c], or [n, c] for conditional norms: `perSample` is c or 0.
 */

export const normActivations = ["none", "elu", "silu", "relu", "leakyRelu"] as const;
export type NormActivation = (typeof normActivations)[number];

const value: Record<NormActivation, string> = {
  none: "z",
  elu: "select(z, expm1_(z), z < 0.0)",
  silu: "z * sigmoid_(z)",
  relu: "select(z, 0.0, z < 0.0)",
  leakyRelu: "select(z, z * p.slope, z < 0.0)",
};
const slope: Record<NormActivation, string> = {
  none: "1.0",
  elu: "select(exp_(z), 1.0, z > 0.0)",
  silu: "sigmoid_(z) * (1.0 + z * (1.0 - sigmoid_(z)))",
  relu: "select(0.0, 1.0, z > 0.0)",
  leakyRelu: "select(p.slope, 1.0, z > 0.0)",
};

export type MapVariant = { by: "thread" | "group" };
const both: MapVariant[] = [{ by: "thread" }, { by: "group" }];

/** Two sums over a map by one thread, or by 64 that meet in a tree. `term` adds to `a` and `b` at element `i`. */
const twoSums = (by: MapVariant["by"], name: string, term: string): string =>
  by === "thread"
    ? `fn ${name}(base: u32, lane: u32, extra: vec4f, more: vec4f) -> vec2f {
        var a = 0.0; var b = 0.0;
        for (var e = 0u; e < p.hw; e++) { let i = base + e; ${term} }
        return vec2f(a, b);
      }`
    : `fn ${name}(base: u32, lane: u32, extra: vec4f, more: vec4f) -> vec2f {
        var a = 0.0; var b = 0.0;
        for (var e = lane; e < p.hw; e += 64u) { let i = base + e; ${term} }
        workgroupBarrier();
        part[lane] = vec2f(a, b);
        for (var half = 32u; half > 0u; half = half / 2u) {
          workgroupBarrier();
          if (lane < half) { part[lane] += part[lane + half]; }
        }
        workgroupBarrier();
        return part[0];
      }`;
const sharedPart = (by: MapVariant["by"]) => (by === "group" ? "var<workgroup> part: array<vec2f, 64>;" : "");
/** `map` is the index of the map; with groups a surplus group repeats the last one, for barriers want all threads. */
const eachMap = (by: MapVariant["by"]): string =>
  by === "thread"
    ? `${linearMain(64)}
       let map = thread;
       if (map >= p.maps) { return; }`
    : `${linearMain(64)}
       let map = min(group, p.maps - 1u);`;
const write = (by: MapVariant["by"], line: string) => (by === "group" ? `if (lane == 0u) { ${line} }` : line);
const mapGroups = (maps: number, by: MapVariant["by"]) => linearGroups(maps, by === "thread" ? 64 : 1);

/** x [maps, hw] -> [maps, 2]: mean and sum of centred squares, in two sweeps: never E[x^2] - E[x]^2. */
export const normMoments = defineKernel({
  name: "norm_moments",
  bindings: { x: "read f32", moments: "read_write f32" },
  params: { maps: "u32", hw: "u32" },
  variants: both,
  main: ({ by }: MapVariant) => `
    ${sharedPart(by)}
    ${twoSums(by, "total", "a += x[i];")}
    ${twoSums(by, "spread", "let d = x[i] - extra.x; a += d * d;")}
    ${eachMap(by)}
      let mean = total(map * p.hw, lane, vec4f(), vec4f()).x / f32(p.hw);
      let squares = spread(map * p.hw, lane, vec4f(mean), vec4f()).x;
      ${write(by, "moments[map * 2u] = mean; moments[map * 2u + 1u] = squares;")}
    }`,
  dispatch: ({ maps }, { by }) => mapGroups(maps, by),
  cost: ({ maps, hw }) => ({ bytes: 4 * maps * hw, flops: 4 * maps * hw }),
});

/** moments [n, c, 2] -> statistics [n, c] vec4s (center, rstd, u, 1 / sqrt(v + eps)). */
export const normStatistics = defineKernel({
  name: "norm_statistics",
  bindings: { moments: "read f32", statistics: "read_write vec4f" },
  params: { maps: "u32", channels: "u32", groupSize: "u32", hw: "u32", eps: "f32", plus: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.maps) { return; }
      let image = (thread / p.channels) * p.channels;
      let first = thread - (thread - image) % p.groupSize;
      var mean = 0.0;
      for (var k = 0u; k < p.groupSize; k++) { mean += moments[(first + k) * 2u]; }
      mean = mean / f32(p.groupSize);
      var squares = 0.0;
      for (var k = 0u; k < p.groupSize; k++) {
        let d = moments[(first + k) * 2u] - mean;
        squares += moments[(first + k) * 2u + 1u] + d * d * f32(p.hw);
      }
      let rstd = 1.0 / sqrt(squares / f32(p.groupSize * p.hw) + p.eps);
      var u = 0.0;
      var ustd = 0.0;
      if (p.plus == 1u && p.channels > 1u) {
        var m = 0.0;
        for (var k = 0u; k < p.channels; k++) { m += moments[(image + k) * 2u]; }
        m = m / f32(p.channels);
        var v = 0.0;
        for (var k = 0u; k < p.channels; k++) { let d = moments[(image + k) * 2u] - m; v += d * d; }
        ustd = 1.0 / sqrt(v / f32(p.channels - 1u) + p.eps);
        u = (moments[thread * 2u] - m) * ustd;
      }
      statistics[thread] = vec4f(mean, rstd, u, ustd);
    }`,
  dispatch: ({ maps }) => linearGroups(maps, 64),
  cost: ({ maps, groupSize }) => ({ bytes: 24 * maps, flops: 4 * maps * groupSize }),
});

const affine = {
  gamma: "read f32",
  beta: "read f32",
  alpha: "read f32",
} as const;
const affineParams = {
  maps: "u32",
  hw: "u32",
  channels: "u32",
  perSample: "u32",
  useGamma: "u32",
  useBeta: "u32",
  useAlpha: "u32",
  slope: "f32",
} as const;
/** Parameters of a map, with their neutral values where the norm has none. */
const affineLib = `
fn affine(map: u32) -> vec3f {
  let at = map % p.channels + (map / p.channels) * p.perSample;
  return vec3f(
    select(1.0, gamma[at * p.useGamma], p.useGamma == 1u),
    select(0.0, beta[at * p.useBeta], p.useBeta == 1u),
    select(1.0, alpha[at * p.useAlpha], p.useAlpha == 1u));
}`;

export type NormVariant = { act: NormActivation; vec: boolean };
const elementVariants = normActivations.flatMap((act) =>
  [true, false].map((vec): NormVariant => ({ act, vec })),
);
/** Element type and elements a thread, four neighbours of one map where hw allows. */
const type = (vec: boolean) => (vec ? "vec4f" : "f32");
const lanewise = (vec: boolean, f: (e: string) => string) =>
  vec ? `vec4f(${["x", "y", "z", "w"].map((l) => f(`.${l}`)).join(", ")})` : f("");
/** A CPU driver wants whole cache lines from a thread. */
const RUN = 4;
const perElement = (vec: boolean, body: string) => `
    ${linearMain(64)}
      for (var q = 0u; q < ${RUN}u; q++) {
        let i = thread * ${RUN}u + q;
        let map = i * ${vec ? 4 : 1}u / p.hw;
        if (map < p.maps) { ${body} }
      }
    }`;
const elementGroups = ({ maps, hw }: { maps: number; hw: number }, { vec }: { vec: boolean }) =>
  linearGroups(Math.ceil((maps * hw) / (vec ? 4 : 1) / RUN), 64);

export const normApply = defineKernel({
  name: "norm_apply",
  bindings: (v: NormVariant) =>
    ({
      x: `read ${type(v.vec)}`,
      statistics: "read vec4f",
      ...affine,
      y: `read_write ${type(v.vec)}`,
    }) as const,
  params: affineParams,
  lib: [...math, affineLib],
  variants: elementVariants,
  main: (v: NormVariant) => `
    fn act(z: f32) -> f32 { return ${value[v.act]}; }
    ${perElement(
      v.vec,
      `
          let s = statistics[map];
          let f = affine(map);
          let shift = f.y + f.x * f.z * s.z;
          let z = f.x * ((x[i] - s.x) * s.y) + shift;
          y[i] = ${lanewise(v.vec, (l) => `act(z${l})`)};`,
    )}`,
  dispatch: (p, v) => elementGroups(p, v),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 6 * maps * hw }),
});

export type NormSumsVariant = { act: NormActivation; by: MapVariant["by"] };

/** S1 and S2 of each map, [maps, 2]. */
export const normGradSums = defineKernel({
  name: "norm_grad_sums",
  bindings: { x: "read f32", dy: "read f32", statistics: "read vec4f", ...affine, sums: "read_write f32" },
  params: affineParams,
  lib: [...math, affineLib],
  variants: normActivations.flatMap((act) => both.map(({ by }): NormSumsVariant => ({ act, by }))),
  main: ({ act, by }: NormSumsVariant) => `
    ${sharedPart(by)}
    fn slope(z: f32) -> f32 { return ${slope[act]}; }
    ${twoSums(by, "both", "let h = (x[i] - extra.x) * extra.y; let z = more.x * h + more.y; let g = dy[i] * slope(z); a += g; b += g * h;")}
    ${eachMap(by)}
      let s = statistics[map];
      let f = affine(map);
      let sum = both(map * p.hw, lane, s, vec4f(f.x, f.y + f.x * f.z * s.z, 0.0, 0.0));
      ${write(by, "sums[map * 2u] = sum.x; sums[map * 2u + 1u] = sum.y;")}
    }`,
  dispatch: ({ maps }, { by }) => mapGroups(maps, by),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/** factors [maps] vec4s (A, B, C, 0) and d(gamma, beta, alpha) of each image, [maps, 3] (see the head of this file). */
export const normGradFactors = defineKernel({
  name: "norm_grad_factors",
  bindings: {
    sums: "read f32",
    statistics: "read vec4f",
    ...affine,
    factors: "read_write vec4f",
    grads: "read_write f32",
  },
  params: { ...affineParams, groupSize: "u32", plus: "u32" },
  lib: [affineLib],
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.maps) { return; }
      let image = (thread / p.channels) * p.channels;
      let first = thread - (thread - image) % p.groupSize;
      let s = statistics[thread];
      let f = affine(thread);
      let s1 = sums[thread * 2u];
      let s2 = sums[thread * 2u + 1u];
      var a = 0.0;
      var b = 0.0;
      for (var k = first; k < first + p.groupSize; k++) {
        let gamma = affine(k).x;
        a += gamma * sums[k * 2u];
        b += gamma * sums[k * 2u + 1u];
      }
      let m = f32(p.groupSize * p.hw);
      var dmu = 0.0;
      if (p.plus == 1u && p.channels > 1u) {
        var total = 0.0;
        var along = 0.0;
        for (var k = image; k < image + p.channels; k++) {
          let fk = affine(k);
          let h = fk.x * fk.z * sums[k * 2u];
          total += h;
          along += h * statistics[k].z;
        }
        dmu = (f.x * f.z * s1 - total / f32(p.channels) - s.z * along / f32(p.channels - 1u)) * s.w;
      }
      factors[thread] = vec4f(f.x * s.y, dmu / f32(p.hw) - s.y * a / m, -s.y * b / m, 0.0);
      grads[thread * 3u] = s2 + f.z * s.z * s1;
      grads[thread * 3u + 1u] = s1;
      grads[thread * 3u + 2u] = f.x * s.z * s1;
    }`,
  dispatch: ({ maps }) => linearGroups(maps, 64),
  cost: ({ maps, groupSize }) => ({ bytes: 60 * maps, flops: 4 * maps * groupSize }),
});

export const normGradApply = defineKernel({
  name: "norm_grad_apply",
  bindings: (v: NormVariant) =>
    ({
      x: `read ${type(v.vec)}`,
      dy: `read ${type(v.vec)}`,
      statistics: "read vec4f",
      ...affine,
      factors: "read vec4f",
      dx: `read_write ${type(v.vec)}`,
    }) as const,
  params: affineParams,
  lib: [...math, affineLib],
  variants: elementVariants,
  main: (v: NormVariant) => `
    fn slope(z: f32) -> f32 { return ${slope[v.act]}; }
    ${perElement(
      v.vec,
      `
          let s = statistics[map];
          let f = affine(map);
          let c = factors[map];
          let shift = f.y + f.x * f.z * s.z;
          let h = (x[i] - s.x) * s.y;
          let z = f.x * h + shift;
          let g = dy[i] * ${lanewise(v.vec, (l) => `slope(z${l})`)};
          dx[i] = c.x * g + c.y + c.z * h;`,
    )}`,
  dispatch: (p, v) => elementGroups(p, v),
  cost: ({ maps, hw }) => ({ bytes: 12 * maps * hw, flops: 12 * maps * hw }),
});
