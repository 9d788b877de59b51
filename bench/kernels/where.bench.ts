import type { Engine } from "../../engine/engine.ts";
import { greater, where } from "../../engine/ops/index.ts";
import type { Shape } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
const small = [2, 5, 7, 12];

const condition = (engine: Engine, size: Shape) =>
  kept(engine, `condition ${size}`, () => engine.untrack(greater(drawn(engine, size, 1), 0)));

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    name: "where, three tensors",
    group: "where",
    shape: times(full),
    bound: "memory",
    bytes: 16 * sizeOf(full),
    flops: sizeOf(full),
    ...sized(full, small, (engine, size) =>
      where(condition(engine, size), drawn(engine, size, 2), drawn(engine, size, 3)),
    ),
  },
]);
