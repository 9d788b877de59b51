import type { Engine } from "../../../engine/engine.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";

/** The file's tensors of a prefix as leaves, by the rest of their names. */
export const variables = (engine: Engine, c: ReferenceCase, prefix: string): Map<string, Tensor> =>
  new Map(
    [...c.under(prefix)].map(([name, { data, shape }]) => [
      name,
      engine.variable(Float32Array.from(data), shape),
    ]),
  );

/** The values of tensors by name, as they are now. */
export async function valuesOf(engine: Engine, tensors: ReadonlyMap<string, Tensor>): Promise<NamedValues> {
  const values = await engine.readAll([...tensors.values()]);
  return new Map([...tensors.keys()].map((name, i): [string, Values] => [name, values[i]!]));
}

/** All values under a prefix. */
export const prefixed = (prefix: string, values: NamedValues): [string, Values][] =>
  [...values].map(([name, v]) => [prefix + name, v]);
