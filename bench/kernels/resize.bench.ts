import { resizeBilinear, resizeNearest } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 16, 16], gpu: [128, 256, 16, 16] };
const small = [2, 3, 5, 8];

/** Twice as high and wide: five numbers moved for each one read. */
const twice = (x: Tensor) => [2 * x.dim(2), 2 * x.dim(3)] as const;
const modes: Record<string, (x: Tensor) => Tensor> = {
  "resize nearest": (x) => resizeNearest(x, twice(x)),
  "resize bilinear": (x) => resizeBilinear(x, twice(x)),
  "resize bilinear, corners": (x) => resizeBilinear(x, twice(x), { alignCorners: true }),
};

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] =>
  Object.entries(modes).flatMap(([name, apply]): Case[] => {
    const elements = sizeOf(full);
    const common = { group: "resize", shape: `${times(full)} doubled`, bound: "memory" } as const;
    return [
      {
        ...common,
        name: `${name}, forward`,
        bytes: 20 * elements,
        flops: 32 * elements,
        ...sized(full, small, (engine, size) => apply(drawn(engine, size))),
      },
      {
        ...common,
        name: `${name}, both passes`,
        bytes: 40 * elements,
        flops: 64 * elements,
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
