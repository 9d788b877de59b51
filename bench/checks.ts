import { grad } from "../engine/autograd.ts";
import type { Engine } from "../engine/engine.ts";
import { array64 } from "../engine/oracle/array.ts";
import type { Tensor } from "../engine/tensor.ts";
import { verify } from "../engine/verify.ts";
import type { Case } from "./harness.ts";
import { drawn } from "./inputs.ts";

/** Largest error allowed, as a share of the largest value: float32 sums of a few thousand terms stay well below. */
const TOLERANCE = 2e-5;

type Runnable = Required<Pick<Case, "run" | "check">>;

/** Every op of a step against the float64 oracle it declares. */
export async function agrees(engine: Engine, step: () => unknown): Promise<string | undefined> {
  const { ops, departed } = await verify(engine, step, { tolerance: TOLERANCE });
  if (ops === 0) return "nothing to check: no op ran";
  return departed && `${departed.op} ${departed.shapes}: error ${departed.error.toExponential(1)}`;
}

/** Values on the device against true ones; disposes the tensor. */
export async function near(
  what: string,
  got: Tensor,
  expected: ArrayLike<number>,
): Promise<string | undefined> {
  const values = await got.data();
  got.dispose();
  if (values.length !== expected.length) return `${what}: ${values.length} values for ${expected.length}`;
  let [worst, largest] = [0, 1e-30];
  values.forEach((v, i) => {
    const error = Math.abs(v - expected[i]!);
    worst = error <= worst ? worst : error; // NaN counts
    largest = Math.max(largest, Math.abs(expected[i]!));
  });
  return worst <= TOLERANCE * largest ? undefined : `${what}: error ${(worst / largest).toExponential(1)}`;
}

/** A tensor's values for the oracle. */
export const toArray64 = async (t: Tensor) => array64(t.shape, await t.data());

/** Work timed at one size and held to the oracle at a small one. */
export const sized = <S>(full: S, small: S, work: (engine: Engine, size: S) => unknown): Runnable => ({
  run: (engine) => void work(engine, full),
  check: (engine) => agrees(engine, () => work(engine, small)),
});

/**
 * An op forward and backward. The check holds the op and its derivative in ops to the oracle, and the fused
 * derivative, which is what runs, to that in ops.
 */
export function differentiated<S>(
  full: S,
  small: S,
  variables: (engine: Engine, size: S) => Tensor[],
  op: (xs: Tensor[], size: S) => Tensor,
): Runnable {
  const gradients = (engine: Engine, size: S, createGraph: boolean): Tensor[] => {
    const xs = variables(engine, size);
    const y = op(xs, size);
    return grad(
      y,
      xs,
      y.size === 1 ? { createGraph } : { createGraph, cotangent: drawn(engine, y.shape, 99) },
    );
  };
  return {
    run: (engine) => void gradients(engine, full, false),
    check: async (engine) => {
      const wrong = await agrees(engine, () => gradients(engine, small, true));
      if (wrong !== undefined) return wrong;
      const [inOps, fused] = [true, false].map((graph) =>
        engine.scope(() => gradients(engine, small, graph)),
      );
      for (const [i, g] of inOps!.entries()) {
        const expected = await g.data();
        g.dispose();
        const far = await near(`fused derivative in input ${i}`, fused![i]!, expected);
        if (far !== undefined) return far;
      }
      return undefined;
    },
  };
}
