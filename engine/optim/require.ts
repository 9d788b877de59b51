import { UsageError } from "../errors.ts";
import { requireFloat } from "../ops/require.ts";
import type { Storage, Tensor } from "../tensor.ts";

/** Throws UsageError for parameters that are no Map, for integers, and for one tensor under two names. */
export function requireParameters(who: string, params: ReadonlyMap<string, Tensor>): void {
  if (!(params instanceof Map))
    throw new UsageError(
      `${who}: got parameters that are no Map, expected them by name, as network.parameters() gives them`,
    );
  const names = new Map<Storage, string>();
  for (const [name, param] of params) {
    requireFloat(who, param);
    const other = names.get(param.storage);
    if (other !== undefined)
      throw new UsageError(
        `${who}: got ${other} and ${name} in one memory, expected each parameter once; give a shared one under one name`,
      );
    names.set(param.storage, name);
  }
}
