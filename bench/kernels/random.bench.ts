import { randomNormal, randomUniform } from "../../engine/oracle/philox.ts";
import { type Draw, purposes, rand, randn } from "../../engine/random.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
const small = [3, 5, 7];
const draw: Draw = { seed: 7, purpose: "user", step: 3 };
/** The same draw as the oracle writes it. */
const attrs = { seed: [7, 0], purpose: purposes.user, step: 3 } as const;

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] =>
  (
    [
      ["random normal", randn, randomNormal],
      ["random uniform", rand, randomUniform],
    ] as const
  ).map(([name, fill, oracle]) => ({
    name,
    group: "random",
    shape: times(full),
    bound: "memory",
    bytes: 4 * sizeOf(full),
    flops: 0,
    run: (engine) => void fill(engine, full, draw),
    check: (engine) => near(name, fill(engine, small, draw), oracle(small, attrs).data),
  })),
);
