import { grad } from "../../engine/autograd.ts";
import type { Engine } from "../../engine/engine.ts";
import { silu } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { differentiated, near, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, sizeOf, times, variable } from "../inputs.ts";

const full = [8, 64, 128, 128];
const small = [2, 5, 7, 12];
const common = { group: "unary", shape: times(full), bound: "memory" } as const;

function copied(engine: Engine, size: readonly number[]): Tensor {
  const y = engine.empty(size);
  engine.copy(drawn(engine, size), y);
  return y;
}

/** The forward pass is done once, so that a run is the gradient's kernel alone. */
function siluGradient(engine: Engine): void {
  const x = variable(engine, full);
  const y = kept(engine, "silu with its graph", () => engine.untrack(silu(x)));
  grad(y, [x], { cotangent: drawn(engine, full, 2), retainGraph: true });
}

export const cases: readonly Case[] = [
  {
    ...common,
    name: "copy",
    bytes: 8 * sizeOf(full),
    flops: 0,
    run: (engine) => void copied(engine, full),
    check: async (engine) =>
      near(
        "copy",
        engine.scope(() => copied(engine, small)),
        await drawn(engine, small).data(),
      ),
  },
  {
    ...common,
    name: "silu",
    bytes: 8 * sizeOf(full),
    flops: sizeOf(full),
    ...sized(full, small, (engine, size) => silu(drawn(engine, size))),
  },
  {
    ...common,
    name: "silu gradient",
    bytes: 12 * sizeOf(full),
    flops: 2 * sizeOf(full),
    check: differentiated(
      full,
      small,
      (engine, size) => [variable(engine, size)],
      ([x]) => silu(x!),
    ).check,
    run: siluGradient,
  },
];
