import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    name: "fill",
    group: "fill",
    shape: times(full),
    bound: "memory",
    bytes: 4 * sizeOf(full),
    flops: 0,
    run: (engine) => void engine.full(full, 0.25),
    check: (engine) => near("fill", engine.full([3, 7], 0.25), new Float32Array(21).fill(0.25)),
  },
]);
