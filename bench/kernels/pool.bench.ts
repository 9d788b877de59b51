import { avgPool2d, maxPool2d } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 32, 32], gpu: [128, 256, 32, 32] };
const small = [2, 3, 8, 12];

/** 5 x 5 at stride 1 is RefineNet's; 2 x 2 halves. `kept`: outputs for each input. */
const pools: Record<string, { apply: (x: Tensor) => Tensor; kept: number; window: number }> = {
  "average pool 5x5": {
    apply: (x) => avgPool2d(x, { kernel: 5, stride: 1, padding: 2 }),
    kept: 1,
    window: 10,
  },
  "average pool 2x2": { apply: (x) => avgPool2d(x, { kernel: 2 }), kept: 1 / 4, window: 3 },
  "max pool 5x5": { apply: (x) => maxPool2d(x, { kernel: 5, stride: 1, padding: 2 }), kept: 1, window: 25 },
};

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] =>
  Object.entries(pools).flatMap(([name, { apply, kept, window }]): Case[] => {
    const elements = sizeOf(full);
    const [bytes, flops] = [4 * elements * (1 + kept), elements * window * kept];
    const common = { group: "pool", shape: times(full), bound: "memory" } as const;
    return [
      {
        ...common,
        name: `${name}, forward`,
        bytes,
        flops,
        ...sized(full, small, (engine, size) => apply(drawn(engine, size))),
      },
      {
        ...common,
        name: `${name}, both passes`,
        bytes: 2 * bytes,
        flops: 2 * flops,
        ...bothPasses({
          full,
          small,
          variables: (engine, size) => [variable(engine, size)],
          op: ([x]) => apply(x!),
        }),
      },
    ];
  }),
);
