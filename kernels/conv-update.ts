import { LANES } from "./broadcast.ts";
import { type ConvRowsVariant, convRowsCost, convRowsGroups, convRowsParams, convSums } from "./conv2d.ts";
import { type Binding, defineKernel, unroll } from "./kernel.ts";
import { updated } from "./linear-update.ts";
import { drawLib, drawParams } from "./random.ts";

/** What stands between the convolution and the score: nothing, or a number for each sample that it is divided by or times. */
export type ScoreFactor = "none" | "div" | "mul";

type ConvUpdateVariant = ConvRowsVariant & {
  factor: ScoreFactor;
  /** Without, there is no noise and nothing is drawn. */
  draws: boolean;
};

const { samples: _samples, sampleSize: _size, ...place } = drawParams;

/**
 * The last kernel of a score network and the sampler's update in one: convRows, whose sums never come to memory, then
 * linearUpdate of the chain x [n, co, oh, ow], with the same draws and the same arithmetic. Of an update's 12 bytes an
 * element and a convolution's 4 there remain 8. For rows of a multiple of 4 columns, so that a block of four draws lies
 * in one of them.
 */
export const convUpdate = defineKernel({
  name: "conv_update",
  bindings: ({ factor }: ConvUpdateVariant) =>
    ({
      x: "read vec4f",
      w: "read vec4f",
      bias: "read f32",
      ...(factor !== "none" && { each: "read f32" }),
      chain: "read_write vec4f",
    }) as Record<"x" | "w" | "bias" | "each" | "chain", Binding>,
  params: { ...convRowsParams, ...place, keep: "f32", pull: "f32", noise: "f32" },
  lib: ({ draws }) => (draws ? drawLib : []),
  subgroups: ({ broadcast }) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: updateVariants(),
  main: (v) =>
    convSums(v, (r) =>
      unroll(v.columns / 4, (q) => {
        const sums = `vec4f(${[0, 1, 2, 3].map((c) => `s${r}_${4 * q + c}`).join(", ")}) + b`;
        const score = { none: sums, div: `(${sums}) / each[n]`, mul: `(${sums}) * each[n]` }[v.factor];
        return `if (column + ${4 * q}u < p.ow) {
          let at = line / 4u + ${q}u;
          let pull = p.pull;
          let noise = p.noise;
          let score = ${score};
          ${v.draws ? "let z = normal4(words(at - n * (p.co * p.oh * p.ow / 4u), n));" : ""}
          chain[at] = ${updated("chain[at]", "score", v.draws ? "z" : undefined)};
        }`;
      }),
    ),
  dispatch: (p, v) => convRowsGroups(p, v),
  cost: (p, v) => {
    const elements = p.n * p.co * p.oh * p.ow;
    const { bytes, flops } = convRowsCost(p, v);
    return { bytes: bytes + 4 * elements, flops: flops + 5 * elements };
  },
});

/** The tiles of the networks' last convolutions: few channels, 3 x 3 or 1 x 1. */
function updateVariants(): ConvUpdateVariant[] {
  const tiles = [
    [4, 8, 8, true, true],
    [4, 8, 8, true, false],
    [4, 8, 8, false, false],
    [4, 8, 64, false, false],
  ] as const;
  return tiles.flatMap(([rows, columns, lanes, broadcast, bare]) =>
    (["none", "div", "mul"] as const).flatMap((factor) =>
      [true, false].map(
        (draws): ConvUpdateVariant => ({
          kw: 3,
          strideX: 1,
          dilationX: 1,
          rows,
          columns,
          bare,
          lanes,
          broadcast,
          factor,
          draws,
        }),
      ),
    ),
  );
}
