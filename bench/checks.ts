import { grad } from "../engine/autograd.ts";
import type { Engine } from "../engine/engine.ts";
import type { Tensor } from "../engine/tensor.ts";
import { verify } from "../engine/verify.ts";
import type { Case } from "./harness.ts";
import { drawn, kept } from "./inputs.ts";

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
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
    largest = Math.max(largest, Math.abs(expected[i]!));
  });
  return worst <= TOLERANCE * largest ? undefined : `${what}: error ${(worst / largest).toExponential(1)}`;
}

/** Work timed at one size and held to the oracle at a small one. */
export const sized = <S>(full: S, small: S, work: (engine: Engine, size: S) => unknown): Runnable => ({
  run: (engine) => void work(engine, full),
  check: (engine) => agrees(engine, () => work(engine, small)),
});

/** What is differentiated, at two sizes: variables and an op of them. */
interface Differentiable<S> {
  readonly full: S;
  readonly small: S;
  readonly variables: (engine: Engine, size: S) => Tensor[];
  readonly op: (xs: Tensor[], size: S) => Tensor;
  /** Runs both passes, as under a forced choice; plainly if absent. */
  readonly within?: <T>(engine: Engine, work: () => T) => T;
}

const cotangent = (y: Tensor) => (y.size === 1 ? {} : { cotangent: drawn(y.engine, y.shape, 99) });

/**
 * An op forward and backward. The check holds the op and its derivative in ops to the oracle, and the fused
 * derivative, which is what runs, to that in ops.
 */
export function bothPasses<S>({
  full,
  small,
  variables,
  op,
  within = (_, work) => work(),
}: Differentiable<S>): Runnable {
  const gradients = (engine: Engine, size: S, createGraph = false): Tensor[] =>
    within(engine, () => {
      const xs = variables(engine, size);
      const y = op(xs, size);
      return grad(y, xs, { createGraph, ...cotangent(y) });
    });
  return {
    run: (engine) => void gradients(engine, full),
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

/** The backward pass alone: the forward is done once, under a key of its own, and its graph kept. */
export function backward<S>(key: string, what: Differentiable<S>): Runnable {
  const { full, variables, op } = what;
  return {
    check: bothPasses(what).check,
    run: (engine) => {
      const xs = variables(engine, full);
      const y = kept(engine, `graph of ${key}`, () => engine.untrack(op(xs, full)));
      grad(y, xs, { retainGraph: true, ...cotangent(y) });
    },
  };
}
