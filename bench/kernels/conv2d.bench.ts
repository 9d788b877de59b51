import type { Engine } from "../../engine/engine.ts";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "../../engine/ops/index.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, times } from "../inputs.ts";

interface Layer {
  n: number;
  ci: number;
  co: number;
  size: number;
  kernel: number;
  dilation: number;
}

const passes = {
  forward: (engine: Engine, l: Layer) =>
    conv2d(input(engine, l), weight(engine, l), undefined, { padding: pad(l), dilation: l.dilation }),
  "input gradient": (engine: Engine, l: Layer) =>
    conv2dInputGrad(output(engine, l), weight(engine, l), { ...attrs(l), inputSize: [l.size, l.size] }),
  "weight gradient": (engine: Engine, l: Layer) =>
    conv2dWeightGrad(output(engine, l), input(engine, l), { ...attrs(l), kernelSize: [l.kernel, l.kernel] }),
};
export type ConvPass = keyof typeof passes;

const input = (engine: Engine, { n, ci, size }: Layer) => drawn(engine, [n, ci, size, size], 1);
const output = (engine: Engine, { n, co, size }: Layer) => drawn(engine, [n, co, size, size], 2);
const weight = (engine: Engine, { ci, co, kernel }: Layer) => drawn(engine, [co, ci, kernel, kernel], 3);
const pad = ({ kernel, dilation }: Layer) => (dilation * (kernel - 1)) / 2;
const attrs = (l: Layer) => {
  const p = pad(l);
  return { stride: [1, 1], padding: [p, p, p, p], dilation: [l.dilation, l.dilation] } as const;
};

const label = ({ ci, co, size, kernel, dilation }: Layer) =>
  `conv ${times([kernel, kernel])} ${ci}->${co} ${times([size, size])}${dilation > 1 ? ` dilation ${dilation}` : ""}`;
export const convName = (layer: Layer, pass: ConvPass): string => `${label(layer)} ${pass}`;

/** Fewer channels and images than the layer's own, which the float64 loops can bear, and its tiles. */
const small = (l: Layer): Layer => ({
  ...l,
  n: 2,
  ci: Math.min(l.ci, 12),
  co: 16,
  size: Math.min(l.size, 20),
});

const all = (layer: Layer): Case[] =>
  (Object.keys(passes) as ConvPass[]).map((pass) => {
    const { n, ci, co, size, kernel } = layer;
    return {
      name: convName(layer, pass),
      group: "conv2d",
      shape: times([n, ci, size, size]),
      bound: "compute",
      bytes: 4 * (n * (ci + co) * size * size + co * ci * kernel * kernel),
      flops: 2 * n * co * ci * kernel * kernel * size * size,
      ...sized(layer, small(layer), passes[pass]),
    };
  });

/** The layers of the project's targets: NCSN's residual blocks in small. */
export const residual: readonly Layer[] = [1, 2, 4].map((dilation) => ({
  n: 8,
  ci: 64,
  co: 64,
  size: 32,
  kernel: 3,
  dilation,
}));

export const cases: readonly Case[] = [
  ...residual,
  { n: 8, ci: 128, co: 128, size: 16, kernel: 3, dilation: 1 },
  { n: 32, ci: 16, co: 16, size: 28, kernel: 3, dilation: 1 },
  { n: 8, ci: 64, co: 64, size: 32, kernel: 1, dilation: 1 },
].flatMap(all);
