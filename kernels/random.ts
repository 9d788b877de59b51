import { defineKernel, type Hardware, linearGroups, linearMain, threadsFor, unroll } from "./kernel.ts";
import { trig } from "./lib/math.ts";
import { normal, philox } from "./lib/philox.ts";

/** Where a draw stands: see lib/philox.ts. `offset` is the index of the first sample. */
export const drawParams = {
  samples: "u32",
  sampleSize: "u32",
  seedLow: "u32",
  seedHigh: "u32",
  step: "u32",
  purpose: "u32",
  offset: "u32",
} as const;

const words = "philox(vec4u(block, sample + p.offset, p.step, p.purpose), vec2u(p.seedLow, p.seedHigh))";

/** What draws need, and the draws themselves for one of several kernels in one: see Lanewise. */
export const drawnLanes = {
  lib: [trig, philox, normal],
  normal: `normal4(${words})`,
  uniform: `uniform4(${words})`,
} as const;

/** Everything a kernel needs to draw for itself: `words(block, sample)`, `normal4` and `uniform4`. */
export const drawLib: readonly string[] = [
  ...drawnLanes.lib,
  `fn words(block: u32, sample: u32) -> vec4u { return ${words}; }`,
];

export type BlockVariant = {
  /** Blocks a thread handles in a row: a CPU driver wants whole cache lines. */
  run: number;
  /** Blocks are vec4s of the tensors: a sample's size is a multiple of 4. */
  vec: boolean;
};
export const blockVariants: readonly BlockVariant[] = [1, 8].flatMap((run) =>
  [true, false].map((vec) => ({ run, vec })),
);

/** The variant for samples of this size. */
export const blockVariant = (hw: Hardware, sampleSize: number): BlockVariant => ({
  run: hw.kind === "cpu" ? 8 : 1,
  vec: sampleSize % 4 === 0,
});

/** Element type of the tensors that blocks walk. */
export const blockType = ({ vec }: BlockVariant) => (vec ? "vec4f" : "f32");

/**
 * `line(at, z)` for each of a thread's blocks of four neighbours, as one vec4 `at` the block's place or for each of its
 * real elements; `draw` is what it draws, from `words(block, sample)`, if anything; `once` comes first, with `sample` known.
 */
export const forEachBlock = (
  { run, vec }: BlockVariant,
  draw: string | undefined,
  line: (at: string, z: string) => string,
  once = "",
): string => `
  ${linearMain(threadsFor(run))}
    let blocks = (p.sampleSize + 3u) / 4u;
    let first = thread * ${run}u;
    var sample = first / blocks;
    var block = first - sample * blocks;
    for (var at = first; at < first + ${run}u; at++) {
      if (sample >= p.samples) { return; }
      ${draw === undefined ? "" : `let z = ${draw};`}
      ${once}
      ${vec ? line("at", "z") : scalarLines(line)}
      block++;
      if (block == blocks) { block = 0u; sample++; }
    }
  }`;

const scalarLines = (line: (at: string, z: string) => string): string => `
      let i = sample * p.sampleSize + block * 4u;
      let left = p.sampleSize - block * 4u;
      ${unroll(4, (k) => (k === 0 ? line("i", "z.x") : `if (left > ${k}u) { ${line(`i + ${k}u`, `z[${k}]`)} }`))}`;

export const blockGroups = (
  { samples, sampleSize }: { samples: number; sampleSize: number },
  { run }: BlockVariant,
) => linearGroups(Math.ceil((samples * Math.ceil(sampleSize / 4)) / run), threadsFor(run));

export type RandomVariant = BlockVariant & { law: "normal" | "uniform" | "bits" };

const draws = {
  normal: "normal4(words(block, sample))",
  uniform: "uniform4(words(block, sample))",
  bits: "words(block, sample)",
};

/** y [samples, sampleSize] of independent draws: z scale + shift with z standard normal or uniform on [0, 1), or raw words. */
export const randomFill = defineKernel({
  name: "random_fill",
  bindings: (v: RandomVariant) =>
    ({ y: `read_write ${v.law === "bits" ? (v.vec ? "vec4u" : "u32") : blockType(v)}` }) as const,
  params: { ...drawParams, scale: "f32", shift: "f32" },
  lib: drawLib,
  variants: (["normal", "uniform", "bits"] as const).flatMap((law) =>
    blockVariants.map((v): RandomVariant => ({ ...v, law })),
  ),
  main: (v: RandomVariant) =>
    forEachBlock(
      v,
      draws[v.law],
      (at, z) => `y[${at}] = ${v.law === "bits" ? z : `${z} * p.scale + p.shift`};`,
    ),
  dispatch: (p, v) => blockGroups(p, v),
  cost: ({ samples, sampleSize }) => ({ bytes: 4 * samples * sampleSize, flops: 0 }),
  lanewise: ({ law, vec }) =>
    law === "bits" || !vec
      ? undefined
      : {
          inputs: [],
          output: "y",
          lib: drawnLanes.lib,
          expression: "z * p.scale + p.shift",
          draw: drawnLanes[law],
        },
});
