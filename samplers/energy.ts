import { UsageError } from "../engine/errors.ts";
import { showShape } from "../engine/shapes.ts";
import type { Tensor } from "../engine/tensor.ts";

/** A density p(x) ~ exp(-energy(x)), which samplers with a Metropolis step have to know up to a constant. */
export interface Energy {
  /** x [n,...] -> E [n], each sample's own. */
  energy(x: Tensor): Tensor;
  /** The score grad log p = -grad E: x [n,...] -> x's shape. */
  score(x: Tensor): Tensor;
}

/** The energies of x [n,...] as [n]. Throws UsageError where the function gives anything else. */
export function energyOf(who: string, energy: Energy, x: Tensor): Tensor {
  const e = energy.energy(x);
  if (e.rank !== 1 || e.dim(0) !== x.dim(0))
    throw new UsageError(
      `${who}: got energies ${showShape(e.shape)} for samples ${showShape(x.shape)}, expected one for each, [${x.dim(0)}]`,
    );
  return e;
}
