import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { bits, log, trig } from "./lib/math.ts";
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

/** Everything a kernel needs to draw for itself: `words(block, sample)`, `normal4` and `uniform4`. */
export const drawLib: readonly string[] = [
  bits,
  log,
  trig,
  philox,
  normal,
  `fn words(block: u32, sample: u32) -> vec4u {
    return philox(vec4u(block, sample + p.offset, p.step, p.purpose), vec2u(p.seedLow, p.seedHigh));
  }`,
];

/** `body` once for each block of four neighbours of a sample: `sample`, `block`, the index `i` of the first, `left` of them real. */
export const forEachBlock = (body: string): string => `
  ${linearMain(64)}
    let blocks = (p.sampleSize + 3u) / 4u;
    let sample = thread / blocks;
    if (sample >= p.samples) { return; }
    let block = thread % blocks;
    let i = sample * p.sampleSize + block * 4u;
    let left = p.sampleSize - block * 4u;
    ${body}
  }`;

export const blockGroups = ({ samples, sampleSize }: { samples: number; sampleSize: number }) =>
  linearGroups(samples * Math.ceil(sampleSize / 4), 64);

/** The lanes of `line(q)` that stand inside the sample. */
export const realLanes = (line: (q: number) => string): string =>
  unroll(4, (q) => (q === 0 ? line(0) : `if (left > ${q}u) { ${line(q)} }`));

export type RandomVariant = { law: "normal" | "uniform" | "bits" };

/** y [samples, sampleSize] of independent draws: standard normal, uniform on [0, 1), or raw words. */
export const randomFill = defineKernel({
  name: "random_fill",
  bindings: ({ law }: RandomVariant) =>
    ({ y: law === "bits" ? "read_write u32" : "read_write f32" }) as const,
  params: drawParams,
  lib: drawLib,
  variants: [{ law: "normal" }, { law: "uniform" }, { law: "bits" }] as RandomVariant[],
  main: ({ law }: RandomVariant) => {
    const draw = {
      normal: "normal4(words(block, sample))",
      uniform: "uniform4(words(block, sample))",
      bits: "words(block, sample)",
    };
    return forEachBlock(`let z = ${draw[law]};\n${realLanes((q) => `y[i + ${q}u] = z[${q}];`)}`);
  },
  dispatch: (p) => blockGroups(p),
  cost: ({ samples, sampleSize }) => ({ bytes: 4 * samples * sampleSize, flops: 0 }),
});
