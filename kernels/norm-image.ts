import { broadcasts, LANES } from "./broadcast.ts";
import { nanAt } from "./embedding.ts";
import { lanewise, sumOf } from "./folds.ts";
import {
  type Binding,
  defineKernel,
  type Groups,
  type Hardware,
  linearGroups,
  linearMain,
} from "./kernel.ts";
import { math } from "./lib/math.ts";
import {
  activationSlope,
  activationValue,
  type affine,
  affineAt,
  affineBeside,
  affineLibBeside,
  affineParams,
  type BeforeVariant,
  beforeBinding,
  dxBytes,
  gradient,
  type NormActivation,
  normActivations,
  ofRow,
  writeDx,
} from "./norm.ts";
import { elementType } from "./runs.ts";

/*
 * Instance norm and instance norm++ of norm.ts in one launch each way, for llvmpipe, where three launches take longer than
 * a small image: a subgroup, alone in its workgroup, has an image, a lane every eighth map of it. What lanes leave for
 * themselves needs no barrier, and what an image's maps share is a sum over the subgroup.
 */

export type NormImageVariant = {
  act: NormActivation;
  /** By vec4s: maps are multiples of 4. */
  vec: boolean;
  /** Parameters are rows of a table, of which each image has a label. */
  labelled: boolean;
};

/** Numbers of an image that a core is through with before other launches had begun. */
const MOST = 32768;
/** Maps of an image whose sums have room in the workgroup. */
const MAPS = 256;

export const normsImages = (hw: Hardware, channels: number, columns: number): boolean =>
  broadcasts(hw) && channels <= MAPS && channels * columns <= MOST;

type NormImageGradVariant = NormImageVariant & BeforeVariant;

const variants: readonly NormImageVariant[] = [
  ...normActivations.flatMap((act) => [false, true].map((vec) => ({ act, vec, labelled: false }))),
  ...[false, true].map((vec) => ({ act: "elu", vec, labelled: true }) as const), // with others on demand
];

/** Parameters as rows of a table that is bound once: NaN for a label outside, as embedding has it. */
const labelledLib = `${nanAt}
${affineAt.replace(/\b(gamma|beta|alpha)\[/g, "table[")}
fn affine(map: u32) -> vec3f {
  let label = u32(labels[map / p.channels]);
  let known = affine_at(min(label, p.rows - 1u) * p.pitch, map % p.channels);
  return select(vec3f(nan_at(label)), known, label < p.rows);
}`;
type Parameters = { labelled: boolean } & BeforeVariant;
const affineOf = (v: Parameters): string => (v.labelled ? labelledLib : affineLibBeside(v));
const parametersOf = (v: Parameters) =>
  v.labelled ? ({ table: "read f32", labels: "read i32" } as const) : affineBeside(v);
type Bindings<B extends string> = Record<B | keyof typeof affine | "table" | "labels", Binding>;

const imageGroups = ({ maps, channels }: { maps: number; channels: number }): Groups =>
  linearGroups(maps / channels, 1);

/** Of a group: the first map `image` of its image, and the length of a map. */
const head = ({ vec }: NormImageVariant): string => `
    ${linearMain(LANES)}
      let image = group * p.channels;
      if (image >= p.maps) { return; }
      let length = p.hw${vec ? " / 4u" : ""};`;

/** Runs `body` for the lane's maps: `row` is one, `channel` its place in the image, `base` its first place. */
const ownMaps = (body: string): string => `
      for (var channel = lane; channel < p.channels; channel += ${LANES}u) {
        let row = image + channel;
        let base = row * length;
        ${body}
      }`;
const along = (body: string): string => `for (var i = base; i < base + length; i++) { ${body} }`;

/** For ++: what only it knows, of variables that are 0 for others. */
const ifPlus = (body: string): string => `if (p.plus == 1u && p.channels > 1u) { ${body} }`;

/** y, and the statistics, where a map's mean and sum of centred squares stand before. */
export const normImage = defineKernel({
  name: "norm_image",
  bindings: (v: NormImageVariant) =>
    ({
      x: `read ${elementType(v.vec)}`,
      statistics: "read_write vec4f",
      ...parametersOf({ ...v, before: false }),
      y: `read_write ${elementType(v.vec)}`,
    }) as Bindings<"x" | "statistics" | "y">,
  params: { ...affineParams, rows: "u32", eps: "f32", plus: "u32" },
  lib: (v) => [...math, affineOf({ ...v, before: false }), sumOf(v.vec)],
  subgroups: () => true,
  subgroupSize: () => LANES,
  variants,
  main: (v) => `
    fn act(z: f32) -> f32 { return ${activationValue[v.act]}; }
    ${head(v)}
      var means = 0.0;
      ${ownMaps(`
        var a = ${elementType(v.vec)}();
        ${along("a += x[i];")}
        let near = sum(a) / f32(p.hw);
        var b = ${elementType(v.vec)}();
        var c = b;
        ${along("let d = x[i] - near; b += d * d; c += d;")}
        let missed = sum(c) / f32(p.hw); // as in normMoments
        let mean = near + missed;
        statistics[row] = vec4f(mean, max(sum(b) - sum(c) * missed, 0.0), 0.0, 0.0);
        means += mean;`)}
      var middle = 0.0;
      var ustd = 0.0;
      ${ifPlus(`
        middle = subgroupAdd(means) / f32(p.channels);
        var squares = 0.0;
        ${ownMaps("let d = statistics[row].x - middle; squares += d * d;")}
        ustd = 1.0 / sqrt(subgroupAdd(squares) / f32(p.channels - 1u) + p.eps);`)}
      ${ownMaps(`
        let own = statistics[row];
        let rstd = 1.0 / sqrt(own.y / f32(p.hw) + p.eps);
        statistics[row] = vec4f(own.x, rstd, (own.x - middle) * ustd, ustd);
        ${ofRow}
        ${along(`
          let z = f.x * ((x[i] - s.x) * s.y) + shift;
          y[i] = ${lanewise(v.vec, (l) => `act(z${l})`)};`)}`)}
    }`,
  dispatch: (p) => imageGroups(p),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/** dx, and d(gamma, beta, alpha) of each image as normGradFactors has them. */
export const normImageGrad = defineKernel({
  name: "norm_image_grad",
  bindings: (v: NormImageGradVariant) =>
    ({
      x: `read ${elementType(v.vec)}`,
      dy: `read ${elementType(v.vec)}`,
      statistics: "read vec4f",
      ...parametersOf(v),
      grads: "read_write f32",
      ...beforeBinding(v, v.vec),
      dx: `read_write ${elementType(v.vec)}`,
    }) as Bindings<"x" | "dy" | "statistics" | "grads" | "before" | "dx">,
  params: {
    ...affineParams,
    rows: "u32",
    plus: "u32",
    width: "u32",
    dGammaAt: "u32",
    dBetaAt: "u32",
    dAlphaAt: "u32",
  },
  lib: (v) => [...math, affineOf(v), sumOf(v.vec)],
  subgroups: () => true,
  subgroupSize: () => LANES,
  variants: [
    ...variants.map((v): NormImageGradVariant => ({ ...v, before: false })),
    ...[false, true].flatMap((vec) =>
      [false, true].map((labelled): NormImageGradVariant => ({ act: "elu", vec, labelled, before: true })),
    ),
  ],
  main: (v) => `
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    var<workgroup> sums: array<vec2f, ${MAPS}>;
    ${head(v)}
      var total = 0.0;
      var across = 0.0;
      ${ownMaps(`
        ${ofRow}
        var a = ${elementType(v.vec)}();
        var b = ${elementType(v.vec)}();
        ${along(`${gradient(v.vec, "i")} a += g; b += g * h;`)}
        let both = vec2f(sum(a), sum(b));
        sums[channel] = both;
        let drawn = f.x * f.z * both.x;
        total += drawn;
        across += drawn * s.z;`)}
      var ofMean = 0.0;
      var ofSpread = 0.0;
      ${ifPlus(`
        ofMean = subgroupAdd(total) / f32(p.channels);
        ofSpread = subgroupAdd(across) / f32(p.channels - 1u);`)}
      ${ownMaps(`
        ${ofRow}
        let both = sums[channel];
        let dmu = (f.x * f.z * both.x - ofMean - s.z * ofSpread) * s.w; // 0 but for ++, whose s.w is not
        let c = vec3f(f.x * s.y, (dmu - s.y * f.x * both.x) / f32(p.hw), -s.y * f.x * both.y / f32(p.hw));
        let at = group * p.width + channel;
        if (p.useGamma == 1u) { grads[at + p.dGammaAt] = both.y + f.z * s.z * both.x; }
        if (p.useBeta == 1u) { grads[at + p.dBetaAt] = both.x; }
        if (p.useAlpha == 1u) { grads[at + p.dAlphaAt] = f.x * s.z * both.x; }
        ${along(`${gradient(v.vec, "i")} ${writeDx(v, "i", "c.x * g + c.y + c.z * h")}`)}`)}
    }`,
  dispatch: (p) => imageGroups(p),
  cost: ({ maps, hw }, v) => ({ bytes: (8 + dxBytes(v)) * maps * hw, flops: 22 * maps * hw }),
});
