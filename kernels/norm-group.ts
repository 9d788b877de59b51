import { lanewise, meet } from "./folds.ts";
import { type Binding, defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";
import { math } from "./lib/math.ts";
import {
  activationSlope,
  activationValue,
  affine,
  affineBeside,
  affineLib,
  affineLibBeside,
  affineParams,
  type BeforeVariant,
  beforeBinding,
  dxBytes,
  type NormActivation,
  normActivations,
  writeDx,
} from "./norm.ts";

/*
 * Instance norm and group norm for GPUs: a workgroup for each group of channels, which its threads keep in registers, so
 * that x is read once and y written once. The numbers are those of norm.ts; maps are multiples of 4.
 */

export type GroupNormVariant = {
  /** How the threads meet: in a tree, or first by subgroups, whose threads have neighbouring indices. */
  by: "group" | "subgroup";
  threads: number;
  /** vec4s a thread keeps: threads x each cover a group. */
  each: number;
};

const MOST_THREADS = 256;
const MOST_EACH = 16;

/** The variant that holds groups of so many numbers; undefined where none does. */
export function groupNormVariant(hw: Hardware, size: number): GroupNormVariant | undefined {
  const threads = size <= 4 * 64 ? 64 : Math.min(MOST_THREADS, hw.maxWorkgroupSize);
  const each = eachOf(size, threads);
  return each > MOST_EACH ? undefined : { by: hw.subgroups ? "subgroup" : "group", threads, each };
}

/** Every variant that holds them without leaving most of its threads idle. */
export const groupNormVariants = (hw: Hardware, size: number): GroupNormVariant[] =>
  [64, 128, MOST_THREADS]
    .filter((threads) => threads <= hw.maxWorkgroupSize && (threads === 64 || size > 2 * threads))
    .map((threads) => ({ threads, each: eachOf(size, threads) }))
    .filter(({ each }) => each <= MOST_EACH)
    .flatMap((v) => (["group", "subgroup"] as const).map((by) => ({ by, ...v })))
    .filter(({ by }) => by === "group" || hw.subgroups);

const eachOf = (size: number, threads: number): number =>
  2 ** Math.ceil(Math.log2(Math.max(size / 4 / threads, 1)));

/** Bytes of workgroup memory that the gradient takes. */
export const groupNormGradStorage = ({ threads, each }: GroupNormVariant): number => 8 * threads * each;

type Variant = GroupNormVariant & { act: NormActivation };
type GradVariant = Variant & BeforeVariant;

/** Every activation once, every way to meet and to share out once; others compile on demand. */
const variants: readonly Variant[] = [
  ...normActivations.map((act): Variant => ({ act, by: "group", threads: 64, each: 1 })),
  ...[1, 2, 4, 8, 16].map((each): Variant => ({ act: "silu", by: "group", threads: 256, each })),
  ...[1, 4].map((each): Variant => ({ act: "silu", by: "subgroup", threads: 128, each })),
];

/** Which of a group's vec4s are a thread's: those that there are not repeat the last, and count for nothing. */
const places = ({ threads, each }: Variant): string => `
      let own = min(group, p.maps / p.groupSize - 1u);
      let line = p.hw / 4u;
      let size = p.groupSize * line;
      let base = own * size;
      ${unroll(each, (k) => `let i${k} = lane + ${k * threads}u; let in${k} = i${k} < size; let at${k} = base + min(i${k}, size - 1u);`)}`;

const mapOf = (k: number) => `own * p.groupSize + min(i${k}, size - 1u) / line`;
const main = ({ by, threads }: Variant): string =>
  linearMain(
    threads,
    by === "subgroup"
      ? "@builtin(subgroup_size) width: u32, @builtin(subgroup_invocation_id) place: u32"
      : "",
  );
const joined = (v: Variant, name: string): string => meet(v, name, "sum", v.threads);

/** x -> y, and the statistics of each map, as normStatistics writes them. */
export const groupNorm = defineKernel({
  name: "group_norm",
  bindings: {
    x: "read vec4f",
    ...affine,
    statistics: "read_write vec4f",
    y: "read_write vec4f",
  },
  params: { ...affineParams, groupSize: "u32", eps: "f32" },
  lib: [...math, affineLib],
  subgroups: ({ by }: Variant) => by === "subgroup",
  variants,
  main: (v: Variant) => `
    var<workgroup> part: array<f32, ${v.threads}>;
    fn act(z: f32) -> f32 { return ${activationValue[v.act]}; }
    ${main(v)}
      ${places(v)}
      ${unroll(v.each, (k) => `var x${k} = select(vec4f(), x[at${k}], in${k});`)}
      let count = f32(4u * size);
      var total = dot(${unroll(v.each, (k) => `x${k}`, " + ")}, vec4f(1.0));
      ${joined(v, "total")}
      let mean = total / count;
      ${unroll(v.each, (k) => `x${k} = select(vec4f(), x${k} - mean, in${k});`)}
      var squares = ${unroll(v.each, (k) => `dot(x${k}, x${k})`, " + ")};
      ${joined(v, "squares")}
      let rstd = 1.0 / sqrt(squares / count + p.eps);
      ${unroll(
        v.each,
        (k) => `if (in${k}) {
        let f = affine(${mapOf(k)});
        let z = f.x * (x${k} * rstd) + f.y;
        y[at${k}] = ${lanewise(true, (lane) => `act(z${lane})`)};
      }`,
      )}
      for (var m = lane; m < p.groupSize; m += ${v.threads}u) {
        statistics[own * p.groupSize + m] = vec4f(mean, rstd, 0.0, 0.0);
      }
    }`,
  dispatch: ({ maps, groupSize }) => linearGroups(maps / groupSize, 1),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/**
 * dx, and d(gamma, beta) of each image side by side as normGradFactors writes them, in one launch. The length of a map is a
 * power of two: a channel's sums meet in a tree of their own.
 */
export const groupNormGrad = defineKernel({
  name: "group_norm_grad",
  bindings: (v: GradVariant) =>
    ({
      x: "read vec4f",
      dy: "read vec4f",
      statistics: "read vec4f",
      ...affineBeside(v),
      ...beforeBinding(v, true),
      dx: "read_write vec4f",
      grads: "read_write f32",
    }) as Record<keyof typeof affine | "x" | "dy" | "statistics" | "before" | "dx" | "grads", Binding>,
  params: { ...affineParams, groupSize: "u32", width: "u32", dGammaAt: "u32", dBetaAt: "u32" },
  lib: (v) => [...math, affineLibBeside(v)],
  variants: variants
    .filter(({ by, each }) => by === "group" && each <= 8)
    .flatMap((v) =>
      (v.each === 2 ? [false, true] : [false]).map((before): GradVariant => ({ ...v, before })),
    ),
  main: (v: GradVariant) => `
    var<workgroup> part: array<vec2f, ${v.threads * v.each}>;
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${linearMain(v.threads)}
      ${places(v)}
      let s = statistics[own * p.groupSize];
      ${unroll(
        v.each,
        (k) => `
      let f${k} = affine(${mapOf(k)});
      let h${k} = select(vec4f(), (x[at${k}] - s.x) * s.y, in${k});
      let z${k} = f${k}.x * h${k} + f${k}.y;
      let g${k} = select(vec4f(), dy[at${k}] * ${lanewise(true, (lane) => `slope(z${k}${lane})`)}, in${k});
      part[i${k}] = vec2f(dot(g${k}, vec4f(1.0)), dot(g${k}, h${k}));`,
      )}
      for (var half = line / 2u; half > 0u; half = half / 2u) {
        workgroupBarrier();
        ${unroll(v.each, (k) => `if (i${k} % line < half) { part[i${k}] += part[i${k} + half]; }`)}
      }
      workgroupBarrier();
      var both = vec2f();
      for (var c = 0u; c < p.groupSize; c++) { both += affine(own * p.groupSize + c).x * part[c * line]; }
      both = both * s.y / f32(4u * size);
      ${unroll(v.each, (k) => `if (in${k}) { ${writeDx(v, `at${k}`, `f${k}.x * s.y * g${k} - both.x - both.y * h${k}`)} }`)}
      for (var c = lane; c < p.groupSize; c += ${v.threads}u) {
        let map = own * p.groupSize + c;
        let at = (map / p.channels) * p.width + map % p.channels;
        let sums = part[c * line];
        if (p.useGamma == 1u) { grads[at + p.dGammaAt] = sums.y; }
        if (p.useBeta == 1u) { grads[at + p.dBetaAt] = sums.x; }
      }
    }`,
  dispatch: ({ maps, groupSize }) => linearGroups(maps / groupSize, 1),
  cost: ({ maps, hw }, v) => ({ bytes: (8 + dxBytes(v)) * maps * hw, flops: 24 * maps * hw }),
});
