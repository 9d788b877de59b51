import { softmax } from "../../engine/ops/index.ts";
import type { Shape } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [4096, 256], gpu: [131_072, 256] };
const small = [40, 70];
const common = (full: Shape) => ({ group: "softmax", shape: times(full), bound: "memory" }) as const;

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "softmax, forward",
    bytes: 8 * sizeOf(full),
    flops: 4 * sizeOf(full),
    ...sized(full, small, (engine, size) => softmax(drawn(engine, size))),
  },
  {
    ...common(full),
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
]);
