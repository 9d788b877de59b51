import type { Engine } from "../../engine/engine.ts";
import { attention } from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type AttentionWay, attentionWay } from "../../kernels/attention-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, times, variable } from "../inputs.ts";

type Size = readonly [n: number, channels: number, positions: number];
/** NCSN++'s attention at 16 x 16, and as many positions as are attended to anywhere in the published networks. */
const full: Size = [8, 128, 256];
const wide: Size = [1, 128, 1024];
const small: Size = [2, 128, 20];
const qkv = (make: (engine: Engine, shape: Shape, seed: number) => Tensor) => (engine: Engine, size: Size) =>
  [1, 2, 3].map((seed) => make(engine, size, seed)) as [Tensor, Tensor, Tensor];

/** Forward two products over all pairs of positions; backward five, of which the weights' is done again. */
const costs = ([n, channels, positions]: Size, arrays: number, products: number) => ({
  group: "attention",
  shape: times([n, channels, positions]),
  bound: "compute" as const,
  bytes: 4 * arrays * n * channels * positions,
  flops: 2 * products * n * positions * positions * channels,
});

const both = (size: Size, within?: <T>(engine: Engine, work: () => T) => T) =>
  bothPasses({
    full: size,
    small,
    variables: qkv(variable),
    op: ([q, k, v]) => attention(q!, k!, v!),
    ...(within && { within }),
  });

const ways: Readonly<Record<string, (hw: Hardware) => AttentionWay>> = {
  "as products": (hw) => attentionWay({ ...hw, maxBinding: Infinity }, { t: full[2], s: full[2] }),
  flash: () => ({ kernel: "flash" }),
};

const byWay = Object.entries(ways).flatMap(([name, way]): Case[] => {
  const forced = <T>({ choices, hardware }: Engine, work: () => T): T =>
    choices.forcing("attention", way(hardware), () => choices.forcing("attention_grad", way(hardware), work));
  return [
    {
      ...costs(full, 4, 2),
      name: `attention ${name}, forward`,
      ...sized(full, small, (engine, size) => forced(engine, () => attention(...qkv(drawn)(engine, size)))),
    },
    { ...costs(full, 12, 7), name: `attention ${name}, both passes`, ...both(full, forced) },
  ];
});

export const cases: readonly Case[] = [
  {
    ...costs(full, 4, 2),
    name: "attention, forward",
    ...sized(full, small, (engine, size) => attention(...qkv(drawn)(engine, size))),
  },
  { ...costs(full, 12, 7), name: "attention, both passes", ...both(full) },
  { ...costs(wide, 12, 7), name: "attention of 1,024 positions, both passes", ...both(wide) },
  ...byWay,
];
