import { combine } from "../../engine/ops/index.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [128, 3, 32, 32], gpu: [4096, 3, 32, 32] };
const small = [3, 3, 5, 5];
/** The last step of a Runge-Kutta method of order 5. */
const factors = [35 / 384, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84];

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    name: "combine five slopes",
    group: "combine",
    shape: times(full),
    bound: "memory",
    bytes: 4 * (factors.length + 2) * sizeOf(full),
    flops: 2 * factors.length * sizeOf(full),
    ...sized(full, small, (engine, size) =>
      combine(
        drawn(engine, size, 1),
        factors.map((c, j) => [c, drawn(engine, size, j + 2)]),
      ),
    ),
  },
]);
