import { dropout } from "../../engine/ops/index.ts";
import type { Draw } from "../../engine/random.ts";
import type { Shape } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

/** Before the last convolution of a block of DDPM++. */
const sizes = { cpu: [16, 128, 32, 32], gpu: [128, 256, 32, 32] };
const small = [3, 5, 7];
const draw: Draw = { seed: 7, purpose: "dropout", step: 3 };
const common = (full: Shape) => ({ group: "dropout", shape: times(full), bound: "memory" }) as const;

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "dropout, forward",
    bytes: 8 * sizeOf(full),
    flops: sizeOf(full),
    ...sized(full, small, (engine, shape) => dropout(drawn(engine, shape), 0.1, draw)),
  },
  {
    ...common(full),
    name: "dropout, both passes",
    bytes: 16 * sizeOf(full),
    flops: 2 * sizeOf(full),
    ...bothPasses({
      full,
      small,
      variables: (engine, shape) => [variable(engine, shape)],
      op: ([x]) => dropout(x!, 0.1, draw),
    }),
  },
]);
