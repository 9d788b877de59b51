import { lanewise } from "./folds.ts";
import { type Binding, defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";
import { math } from "./lib/math.ts";
import { nearLib, partsOf, spanOf } from "./neighbours.ts";
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
 * Instance norm and group norm for GPUs with subgroups, where maps divide evenly among threads: some neighbouring lanes
 * for each map. A thread has one map's parameters and no index to divide; lanes exchange their sums within a subgroup,
 * and a workgroup meets once, at one barrier. x is read once, as in norm-group.ts, whose numbers these are, or in
 * part twice where one group would crowd a core.
 *
 * Moments: neighbours take the mean of what they hold, then their centred squares; these join as Chan, Golub and LeVeque
 * 1979 do, so that no square of a mean is taken from a mean of squares. All hold the same number of values.
 */

export type NormLanesVariant = {
  /** Threads of a map, a power of two. */
  lanes: number;
  /** vec4s of a thread: lanes x each are a map. */
  each: number;
  /** Maps of a group, and groups of a workgroup. */
  maps: number;
  groups: number;
};
export type NormLanesForwardVariant = NormLanesVariant & {
  /** vec4s that a thread keeps in registers; the others it reads once more, which leaves room for a second workgroup. */
  kept: number;
};
export type NormLanesGradVariant = NormLanesVariant & {
  /** What is kept in registers of x and dy; or of these the gradient before gamma, and x is read once more; or both are. */
  keep: "both" | "slopes" | "none";
};

export const normLanesThreads = ({ lanes, maps, groups }: NormLanesVariant): number => lanes * maps * groups;

/** Registers of a thread are enough for this many vec4s of a workgroup that are kept. */
const HELD = 8192;
const MOST = { threads: 1024, each: 16 };

/** Every sharing out of groups of `maps` maps of `columns` numbers that fills its threads. */
function shared(hw: Hardware, maps: number, columns: number): NormLanesVariant[] {
  const line = columns / 4;
  if (hw.kind === "cpu" || !hw.subgroups || !Number.isInteger(line)) return [];
  const most = Math.min(MOST.threads, hw.maxWorkgroupSize);
  return [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    .map((lanes) => ({ lanes, each: line / lanes, maps }))
    .filter(({ each }) => Number.isInteger(each) && each <= MOST.each)
    .flatMap((v) => {
      const ofGroup = v.lanes * maps;
      const counts = [64, 128, 256].map((threads) => Math.floor(threads / ofGroup));
      return [...new Set(counts.map((count) => Math.max(1, count)))].map((groups) => ({ ...v, groups }));
    })
    .filter((v) => {
      const threads = normLanesThreads(v);
      return threads >= 32 && threads <= most && threads * v.each <= HELD;
    });
}

/** A workgroup that keeps more vec4s than this is alone on its core, or nearly. */
const CROWDED = 2048;

/** Each with all kept and, where one group so crowds a core, with a half and a quarter. */
export const normLanesVariants = (hw: Hardware, maps: number, columns: number): NormLanesForwardVariant[] =>
  shared(hw, maps, columns).flatMap((v) => {
    const crowded = v.groups === 1 && v.each >= 8 && v.each * normLanesThreads(v) > CROWDED;
    const kept = crowded ? [v.each, v.each / 2, Math.floor(v.each / 4)] : [v.each];
    return kept.filter(Number.isInteger).map((kept) => ({ ...v, kept }));
  });

/** The same for the gradient, which keeps two numbers for each of x where those fit. */
export const normLanesGradVariants = (hw: Hardware, maps: number, columns: number): NormLanesGradVariant[] =>
  shared(hw, maps, columns).flatMap((v) => {
    const fits = 2 * v.each * normLanesThreads(v) <= HELD;
    const kinds = fits ? (["both"] as const) : (["slopes", "none"] as const);
    return kinds.map((keep) => ({ ...v, keep }));
  });

/** Threads of a workgroup that keep a core busy. */
const BUSY = 128;

/** vec4s that a thread keeps, and of a group of many threads. */
const KEPT = { few: 8, many: 16 };
const keptOf = (v: NormLanesForwardVariant | NormLanesGradVariant): number =>
  "kept" in v ? v.kept : { both: 2 * v.each, slopes: v.each, none: 0 }[v.keep];

/**
 * The usual one of some variants, by what an H100 likes: eight vec4s kept by a thread, of a group of many threads twice that,
 * and groups together until there are enough threads.
 */
export function usualLanes<V extends NormLanesForwardVariant | NormLanesGradVariant>(
  variants: readonly V[],
): V | undefined {
  const wide = ({ lanes, maps }: V) => lanes * maps >= BUSY;
  const plain = variants.filter((v) => ("kept" in v ? v.kept === v.each : v.keep !== "none"));
  const good = plain.filter((v) =>
    keptOf(v) <= KEPT.few ? v.lanes >= 4 : keptOf(v) <= KEPT.many && wide(v),
  );
  const far = (v: V) => Math.abs(normLanesThreads(v) - BUSY);
  return good.reduce<V | undefined>(
    (a, b) => (!a || b.each > a.each || (b.each === a.each && far(b) < far(a)) ? b : a),
    undefined,
  );
}

type Shared = { act: NormActivation };

/** Every activation once, every way to share out once; others compile on demand. */
const shares: readonly NormLanesVariant[] = [
  { lanes: 32, each: 4, maps: 4, groups: 1 },
  { lanes: 64, each: 1, maps: 3, groups: 1 },
  { lanes: 16, each: 3, maps: 1, groups: 4 },
  { lanes: 2, each: 2, maps: 6, groups: 5 },
  { lanes: 1, each: 3, maps: 8, groups: 4 },
];
const variants: readonly (NormLanesVariant & Shared)[] = [
  ...normActivations.map((act) => ({ act, lanes: 4, each: 2, maps: 8, groups: 2 })),
  ...shares.map((v) => ({ act: "silu" as const, ...v })),
];

/** A surplus group repeats the last, for barriers want all threads. `count` parts from `begin` on are of one group. */
const head = (v: NormLanesVariant, span: number): string => `
    ${linearMain(normLanesThreads(v), "@builtin(subgroup_size) width: u32")}
      let own = min(group * ${v.groups}u + lane / ${v.lanes * v.maps}u, p.maps / ${v.maps}u - 1u);
      let map = own * ${v.maps}u + lane % ${v.lanes * v.maps}u / ${v.lanes}u;
      let first = map * ${v.lanes * v.each}u + lane % ${v.lanes}u;
      let reach = min(width, ${span}u);
      let count = ${v.lanes * v.maps}u / reach;
      let begin = lane / ${v.lanes * v.maps}u * count;
      let f = affine(map);`;

const place = ({ lanes }: NormLanesVariant, k: number, from = "first"): string => `${from} + ${k * lanes}u`;
/** Where a thread reads once more: a compiler that knew the address again would keep what was read. */
const again = "let again = first + select(0u, 1u, p.maps == 0u);";

/** `middle` and centred squares `around` it of what neighbours have, where each keeps all of its own. */
const momentsOfKept = (v: NormLanesForwardVariant): string => `
      let middle = near(dot(${unroll(v.each, (k) => `x${k}`, " + ")}, vec4f(1.0)), width) / held;
      ${unroll(v.each, (k) => `let d${k} = x${k} - middle;`)}
      let around = near(${unroll(v.each, (k) => `dot(d${k}, d${k})`, " + ")}, width);`;
/**
 * The same where some are read in passing: a thread adds up distances from the mean of those it keeps, which are a fair share
 * of all, so that the square of the way from that mean to its own is no more than a few times what its squares add up to.
 */
const momentsOfAll = (v: NormLanesForwardVariant): string => `
      let pivot = dot(${unroll(v.kept, (k) => `x${k}`, " + ")}, vec4f(1.0)) / ${4 * v.kept}.0;
      var a = vec4f();
      var b = vec4f();
      ${unroll(v.each, (k) => `{ let d = ${k < v.kept ? `x${k}` : `x[${place(v, k)}]`} - pivot; a += d; b += d * d; }`)}
      let away = dot(a, vec4f(1.0)) / ${4 * v.each}.0;
      let middle = near(pivot + away, width) / f32(reach);
      let off = pivot + away - middle;
      let around = near(dot(b, vec4f(1.0)) + ${4 * v.each}.0 * (off * off - away * away), width);`;

/** As group_norm: x -> y, and the statistics of each map. */
export const normLanes = defineKernel({
  name: "norm_lanes",
  bindings: { x: "read vec4f", ...affine, statistics: "read_write vec4f", y: "read_write vec4f" },
  params: { ...affineParams, eps: "f32" },
  lib: [...math, affineLib],
  subgroups: () => true,
  variants: variants.flatMap((v) => [v.each, ...(v.each > 3 ? [1] : [])].map((kept) => ({ ...v, kept }))),
  main: (v: NormLanesForwardVariant & Shared) => {
    const span = spanOf(v.lanes * v.maps);
    return `
    var<workgroup> part: array<vec2f, ${partsOf(normLanesThreads(v), span)}>;
    fn act(z: f32) -> f32 { return ${activationValue[v.act]}; }
    ${nearLib(span, "f32")}
    ${head(v, span)}
      ${unroll(v.kept, (k) => `let x${k} = x[${place(v, k)}];`)}
      let held = f32(${4 * v.each}u * reach);
      ${v.kept === v.each ? momentsOfKept(v) : momentsOfAll(v)}
      if (lane % reach == 0u) { part[lane / reach] = vec2f(middle, around); }
      workgroupBarrier();
      var mean = 0.0;
      for (var e = begin; e < begin + count; e++) { mean += part[e].x; }
      mean = mean / f32(count);
      var squares = 0.0;
      for (var e = begin; e < begin + count; e++) {
        let off = part[e].x - mean;
        squares += part[e].y + held * off * off;
      }
      let rstd = 1.0 / sqrt(squares / ${4 * v.each * v.lanes * v.maps}.0 + p.eps);
      ${again}
      ${unroll(
        v.each,
        (k) => `{
        let z = f.x * ((${k < v.kept ? `x${k}` : `x[${place(v, k, "again")}]`} - mean) * rstd) + f.y;
        y[${place(v, k)}] = ${lanewise(true, (lane) => `act(z${lane})`)};
      }`,
      )}
      if (lane % ${v.lanes}u == 0u) { statistics[map] = vec4f(mean, rstd, 0.0, 0.0); }
    }`;
  },
  dispatch: ({ maps }, v) => linearGroups(maps / v.maps, v.groups),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/** What dx is made of at place k: xhat, and the derivative before gamma. */
const xhat = (v: NormLanesVariant, k: number, from?: string): string =>
  `let h${k} = (x[${place(v, k, from)}] - s.x) * s.y;`;
const inside = (k: number): string => `let z${k} = f.x * h${k} + f.y;`;
const derivative = (v: NormLanesVariant, k: number, from?: string): string =>
  `dy[${place(v, k, from)}] * ${lanewise(true, (lane) => `slope(z${k}${lane})`)}`;
const gradient = (v: NormLanesVariant, k: number, from?: string): string => `
      ${xhat(v, k, from)}
      ${inside(k)}
      let g${k} = ${derivative(v, k, from)};`;
const dx = (v: NormLanesVariant & BeforeVariant, k: number): string =>
  writeDx(v, place(v, k), `f.x * s.y * g${k} - both.x - both.y * h${k}`);

const added = (k: number): string => `sums += vec2f(dot(g${k}, vec4f(1.0)), dot(g${k}, h${k}));`;
/** The sums of place k, and its dx, by what is kept. */
const ways: Record<
  NormLanesGradVariant["keep"],
  Record<"first" | "second", (v: NormLanesVariant & BeforeVariant, k: number) => string>
> = {
  both: { first: (v, k) => `${gradient(v, k)} ${added(k)}`, second: dx },
  slopes: {
    first: (v, k) =>
      `var g${k} = vec4f(); { ${xhat(v, k)} ${inside(k)} g${k} = ${derivative(v, k)}; ${added(k)} }`,
    second: (v, k) => `{ ${xhat(v, k, "again")} ${dx(v, k)} }`,
  },
  none: {
    first: (v, k) => `{ ${gradient(v, k)} ${added(k)} }`,
    second: (v, k) => `{ ${gradient(v, k, "again")} ${dx(v, k)} }`,
  },
};

/** As group_norm_grad: dx, and d(gamma, beta) of each image side by side. */
export const normLanesGrad = defineKernel({
  name: "norm_lanes_grad",
  bindings: (v: NormLanesGradVariant & Shared & BeforeVariant) =>
    ({
      x: "read vec4f",
      dy: "read vec4f",
      statistics: "read vec4f",
      ...affineBeside(v),
      ...beforeBinding(v, true),
      dx: "read_write vec4f",
      grads: "read_write f32",
    }) as Record<keyof typeof affine | "x" | "dy" | "statistics" | "before" | "dx" | "grads", Binding>,
  params: { ...affineParams, width: "u32", dGammaAt: "u32", dBetaAt: "u32" },
  lib: (v) => [...math, affineLibBeside(v)],
  subgroups: () => true,
  variants: variants
    .flatMap((v) =>
      (v.act === "silu" ? (["both", v.maps > 4 ? "slopes" : "none"] as const) : (["both"] as const)).map(
        (keep) => ({ ...v, keep }),
      ),
    )
    .flatMap((v) =>
      (v.lanes === 2 || v.lanes === 16 ? [false, true] : [false]).map((before) => ({ ...v, before })),
    ),
  main: (v: NormLanesGradVariant & Shared & BeforeVariant) => {
    const span = spanOf(v.lanes);
    return `
    var<workgroup> part: array<vec4f, ${partsOf(normLanesThreads(v), span)}>;
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${nearLib(span, "vec2f")}
    ${head(v, span)}
      let s = statistics[map];
      var sums = vec2f();
      ${unroll(v.each, (k) => ways[v.keep].first(v, k))}
      sums = near(sums, width);
      if (lane % reach == 0u) { part[lane / reach] = vec4f(sums, f.x * sums); }
      workgroupBarrier();
      var both = vec2f();
      for (var e = begin; e < begin + count; e++) { both += part[e].zw; }
      both = both * (s.y / ${4 * v.each * v.lanes * v.maps}.0);
      ${again}
      ${unroll(v.each, (k) => ways[v.keep].second(v, k))}
      if (lane % ${v.lanes}u == 0u) {
        let at = (map / p.channels) * p.width + map % p.channels;
        var ofMap = vec2f();
        for (var e = lane / reach; e < (lane + ${v.lanes}u) / reach; e++) { ofMap += part[e].xy; }
        if (p.useGamma == 1u) { grads[at + p.dGammaAt] = ofMap.y; }
        if (p.useBeta == 1u) { grads[at + p.dBetaAt] = ofMap.x; }
      }
    }`;
  },
  dispatch: ({ maps }, v) => linearGroups(maps / v.maps, v.groups),
  cost: ({ maps, hw }, v) => ({ bytes: (8 + dxBytes(v)) * maps * hw, flops: 24 * maps * hw }),
});
