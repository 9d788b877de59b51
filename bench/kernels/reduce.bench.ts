import { max, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const usual = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
/** The gradient of a bias, where maps are small. */
const slight = { cpu: [16, 24, 14, 14], gpu: [4096, 24, 14, 14] };
const small = [3, 5, 7, 50];

interface Reduction {
  readonly apply: (x: Tensor) => Tensor;
  readonly sizes?: typeof usual;
}

const over: Record<string, Reduction> = {
  "sum over all": { apply: (x) => sum(x) },
  "sum over the last axis": { apply: (x) => sum(x, { axis: -1 }) },
  "sum of each channel": { apply: (x) => sum(x, { axis: [0, 2, 3] }) },
  "sum of each channel of small maps": { apply: (x) => sum(x, { axis: [0, 2, 3] }), sizes: slight },
  "largest of all": { apply: (x) => max(x) },
};

export const cases: SizedCases = bySize(usual, (_, kind): readonly Case[] =>
  Object.entries(over).map(([name, { apply, sizes = usual }]) => {
    const full = sizes[kind];
    return {
      name,
      group: "reduce",
      shape: times(full),
      bound: "memory",
      bytes: 4 * sizeOf(full),
      flops: sizeOf(full),
      ...sized(full, small, (engine, size) => apply(drawn(engine, size))),
    };
  }),
);
