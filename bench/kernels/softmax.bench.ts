import { softmax } from "../../engine/ops/index.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";

const full = [4096, 256];
const small = [40, 70];
const common = { group: "softmax", shape: times(full), bound: "memory" } as const;

export const cases: readonly Case[] = [
  {
    ...common,
    name: "softmax, forward",
    bytes: 8 * sizeOf(full),
    flops: 4 * sizeOf(full),
    ...sized(full, small, (engine, size) => softmax(drawn(engine, size))),
  },
  {
    ...common,
    name: "softmax, both passes",
    bytes: 20 * sizeOf(full),
    flops: 8 * sizeOf(full),
    ...bothPasses({
      full,
      small,
      variables: (engine, size) => [variable(engine, size)],
      op: ([x]) => softmax(x!),
    }),
  },
];
