import { add } from "../../engine/ops/index.ts";
import type { Shape } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
const small = [2, 5, 7, 12];
const common = (full: Shape) =>
  ({ group: "binary", shape: times(full), bound: "memory", flops: sizeOf(full) }) as const;

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "add, same shape",
    bytes: 12 * sizeOf(full),
    ...sized(full, small, (engine, size) => add(drawn(engine, size, 1), drawn(engine, size, 2))),
  },
  {
    ...common(full),
    name: "add, bias of each channel",
    bytes: 8 * sizeOf(full),
    ...sized(full, small, (engine, size) => add(drawn(engine, size, 1), drawn(engine, [size[1]!, 1, 1], 2))),
  },
]);
