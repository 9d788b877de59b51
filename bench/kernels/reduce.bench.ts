import { max, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
const small = [3, 5, 7, 50];

const over: Record<string, (x: Tensor) => Tensor> = {
  "sum over all": (x) => sum(x),
  "sum over the last axis": (x) => sum(x, { axis: -1 }),
  "sum of each channel": (x) => sum(x, { axis: [0, 2, 3] }),
  "largest of all": (x) => max(x),
};

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] =>
  Object.entries(over).map(([name, apply]) => ({
    name,
    group: "reduce",
    shape: times(full),
    bound: "memory",
    bytes: 4 * sizeOf(full),
    flops: sizeOf(full),
    ...sized(full, small, (engine, size) => apply(drawn(engine, size))),
  })),
);
