/** Families of kernels that are drawn alike. */
interface Kind {
  readonly name: string;
  /** Okabe & Ito's colours, told apart by all eyes; on a dark ground lighter. */
  readonly light: string;
  readonly dark: string;
  /** Outline around (0, 0), about 10 pixels wide: what tells kinds apart without colour. */
  readonly outline: string;
}

const circle = "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z";
const square = "M-4-4h8v8h-8z";
const triangle = "M0-5.2L5 3.6H-5z";
const diamond = "M0-5.5L5.5 0L0 5.5L-5.5 0z";
const cross =
  "M-4.6-2.4L-2.4-4.6L0-2.2L2.4-4.6L4.6-2.4L2.2 0L4.6 2.4L2.4 4.6L0 2.2L-2.4 4.6L-4.6 2.4L-2.2 0z";
const bar = "M-5.5-2.2h11v4.4h-11z";
const fallen = "M0 5.2L5-3.6H-5z";

export const kinds = {
  convolution: { name: "convolution", light: "#0072b2", dark: "#56b4e9", outline: circle },
  product: { name: "matrix product, attention", light: "#d55e00", dark: "#ff8a3d", outline: square },
  norm: { name: "norm, softmax, reduction", light: "#009e73", dark: "#2fd6a3", outline: triangle },
  lanewise: { name: "elementwise, copies", light: "#a35a86", dark: "#e79ac4", outline: diamond },
  update: { name: "updates, random numbers", light: "#8a6d00", dark: "#f0c94a", outline: cross },
  resampling: { name: "pooling, resampling", light: "#555555", dark: "#b8b8b8", outline: bar },
  other: { name: "whole steps and others", light: "#111111", dark: "#ffffff", outline: fallen },
} as const satisfies Record<string, Kind>;
export type KindName = keyof typeof kinds;

const members: Readonly<Record<Exclude<KindName, "other">, readonly string[]>> = {
  convolution: ["conv2d", "conv-update"],
  product: ["matmul", "attention"],
  norm: ["norm", "softmax", "reduce"],
  lanewise: ["unary", "binary", "combine", "cast", "copy", "fill", "dropout", "embedding", "where"],
  update: ["linear-update", "random", "metropolis", "adam", "accumulate", "clip", "dsm"],
  resampling: ["pool", "resize", "upfirdn2d"],
};
const byGroup = new Map(
  Object.entries(members).flatMap(([kind, groups]) => groups.map((group) => [group, kind as KindName])),
);

/** The kind of a case's family. */
export const kindOf = (group: string): KindName => byGroup.get(group) ?? "other";
