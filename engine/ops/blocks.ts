import { type BlocksVariant, blocks } from "../../kernels/blocks.ts";
import { runVariant } from "../../kernels/runs.ts";
import type { Engine } from "../engine.ts";
import type { Tensor } from "../tensor.ts";
import type { Pair } from "./conv-shapes.ts";

/** Larger blocks are not unrolled. */
const MAX_BLOCK = 4;

/** A block, where the large image is made of whole ones; on a GPU, where the small one is made of vec4s besides. */
export function wholeBlocks(engine: Engine, small: Pair, large: Pair, block: Pair): Pair | undefined {
  const whole = block.every((length, i) => Number.isInteger(length) && length * small[i]! === large[i]);
  const taken = engine.hardware.kind === "cpu" || small[1] % 4 === 0;
  return taken && whole && Math.max(...block) <= MAX_BLOCK ? block : undefined;
}

/** Fills blocks of y with x, or adds up x's into y, times `scale`, and adds a residual: see kernels/blocks.ts. */
export function launchBlocks(
  engine: Engine,
  { x, residual, y }: { x: Tensor; residual: Tensor | undefined; y: Tensor },
  [fy, fx]: Pair,
  { sum, scale = 1 }: Pick<BlocksVariant, "sum"> & { scale?: number },
): void {
  const small = sum ? y : x;
  const columns = small.dim(3);
  const variant = { ...runVariant(engine.hardware, columns), sum, fy, fx, residual: residual !== undefined };
  const tensors = { x, residual: residual ?? x, y };
  engine.launch(blocks, variant, tensors, { rows: small.size / columns, columns, scale });
}
