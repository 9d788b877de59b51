import type { Engine } from "../../engine/engine.ts";
import { silu } from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { backward, near, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 128, 128], gpu: [64, 64, 128, 128] };
const small = [2, 5, 7, 12];
const common = (full: Shape) => ({ group: "unary", shape: times(full), bound: "memory" }) as const;

function copied(engine: Engine, size: Shape): Tensor {
  const y = engine.empty(size);
  engine.copy(drawn(engine, size), y);
  return y;
}

async function checkCopy(engine: Engine): Promise<string | undefined> {
  const copy = engine.scope(() => copied(engine, small));
  return near("copy", copy, await drawn(engine, small).data());
}

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "copy",
    bytes: 8 * sizeOf(full),
    flops: 0,
    run: (engine) => void copied(engine, full),
    check: checkCopy,
  },
  {
    ...common(full),
    name: "silu",
    bytes: 8 * sizeOf(full),
    flops: sizeOf(full),
    ...sized(full, small, (engine, size) => silu(drawn(engine, size))),
  },
  {
    ...common(full),
    name: "silu gradient",
    bytes: 12 * sizeOf(full),
    flops: 2 * sizeOf(full),
    ...backward("silu", {
      full,
      small,
      variables: (engine, size) => [variable(engine, size)],
      op: ([x]) => silu(x!),
    }),
  },
]);
