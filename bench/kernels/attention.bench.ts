import type { Engine } from "../../engine/engine.ts";
import { attention } from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, times, variable } from "../inputs.ts";

/** NCSN++'s attention at 16 x 16. */
const [n, channels, positions] = [8, 128, 256];
const full = [n, channels, positions];
const small = [2, channels, 20];
const qkv = (make: (engine: Engine, shape: Shape, seed: number) => Tensor) => (engine: Engine, size: Shape) =>
  [1, 2, 3].map((seed) => make(engine, size, seed)) as [Tensor, Tensor, Tensor];

const pairs = n * positions * positions * channels;
const common = { group: "attention", shape: times(full), bound: "compute" } as const;

/** Forward two products over all pairs of positions; backward five, of which the weights' is done again. */
export const cases: readonly Case[] = [
  {
    ...common,
    name: "attention, forward",
    bytes: 16 * n * channels * positions,
    flops: 4 * pairs,
    ...sized(full, small, (engine, size) => attention(...qkv(drawn)(engine, size))),
  },
  {
    ...common,
    name: "attention, both passes",
    bytes: 48 * n * channels * positions,
    flops: 14 * pairs,
    ...bothPasses({ full, small, variables: qkv(variable), op: ([q, k, v]) => attention(q!, k!, v!) }),
  },
];
