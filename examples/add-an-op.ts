/** An op of your own: how to compute it, its derivative, and its mathematics in float64 to check both. */
import assert from "node:assert/strict";
import { defineOp, Engine, exp, grad, mul, scale, square, sum, type Tensor } from "stein";

const bell = (v: number) => Math.exp(-v * v * 0.5);

const op = defineOp<object>({
  name: "bell",
  // An op may call ops, as here, or launch kernels, as in custom-kernel.ts.
  forward: (engine, [x]) => engine.noGrad(() => exp(scale(square(x!), -0.5))),
  saves: { inputs: [0], output: true },
  vjp: ({ inputs: [x], y, dy }) => [scale(mul(mul(x!, y!), dy), -1)], // in ops: it can be differentiated again
  oracle: ([x]) => ({ shape: x!.shape, data: x!.data.map(bell) }),
});

/** exp(-x^2 / 2), element by element. */
const bellOf = (x: Tensor) => op(x.engine, [x], {});

const engine = await Engine.create();
const points = [-2, -0.5, 0, 1, 3];
const x = engine.variable(points);
const y = bellOf(x);
const [slope] = grad(sum(y), [x], { createGraph: true });
const [bend] = grad(sum(slope!), [x]);

const near = 1e-4; // differences of the float64 function stand for its derivatives
const slopes = points.map((v) => (bell(v + near) - bell(v - near)) / (2 * near));
const bends = points.map((v) => (bell(v + near) - 2 * bell(v) + bell(v - near)) / near ** 2);

const truths = [points.map(bell), slopes, bends];
for (const [order, got] of (await engine.readAll([y, slope!, bend!])).entries()) {
  const error = Math.max(...truths[order]!.map((truth, i) => Math.abs(got[i]! - truth)));
  console.log(`derivative ${order}: ${[...got].map((v) => v.toFixed(4)).join("  ")}, error ${error}`);
  assert(error < 1e-6);
}

const { worst, departed } = await engine.verify(() => bellOf(x)); // as `stein train --verify` does for whole networks
console.log(`beside its oracle: ${worst!.error.toExponential(1)}`);
assert.equal(departed, undefined);
engine.destroy();
