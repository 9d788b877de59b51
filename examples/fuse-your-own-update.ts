/** A Langevin-like update of your own as separate ops and as one kernel that draws its noise: the same numbers. */
import assert from "node:assert/strict";
import { add, Engine, linearUpdate, randn, Scalar, scale, type Tensor } from "stein";

// x <- keep x + pull score(x) + noise z: Langevin dynamics with a decay of its own, towards N(0, SPREAD^2).
const SPREAD = 2;
const [keep, pull, noise] = [0.95, 0.2, 0.5];
const score = (x: Tensor) => scale(x, -1 / SPREAD ** 2);

const engine = await Engine.create();
const step = new Scalar(0); // read anew at each replay
const draw = { seed: 3, purpose: "user", step } as const;
const [a, b] = [engine.zeros([64, 1024]), engine.zeros([64, 1024])];

const separate = () => {
  const z = randn(engine, a.shape, draw);
  engine.copy(add(add(scale(a, keep), scale(score(a), pull)), scale(z, noise)), a);
};
const fused = () => linearUpdate(b, score(b), { keep, pull, noise }, draw);

for (const [name, move] of Object.entries({ separate, fused })) {
  let launches = 0;
  engine.dry(move, () => launches++);
  step.value = 0;
  const recorded = engine.capture(move); // runs the first step, too; elementwise neighbours become one kernel
  for (step.value = 1; step.value < 50; step.value++) recorded.replay();
  console.log(`${name}: ${launches} kernels a step, ${recorded.commands.length} when it is replayed`);
}

const [one, other] = await engine.readAll([a, b]);
const apart = Math.max(...one!.map((v, i) => Math.abs(v - other![i]!)));
const variance = [...other!].reduce((sum, v) => sum + v * v, 0) / b.size;
const shrink = keep - pull / SPREAD ** 2; // x <- shrink x + noise z has this variance in the end
const expected = noise ** 2 / (1 - shrink ** 2);

console.log(`after 50 steps of ${b.size} chains: apart by at most ${apart.toExponential(1)}`);
console.log(`variance ${variance.toFixed(3)}, expected ${expected.toFixed(3)}`);
assert(apart < 1e-5);
assert(Math.abs(variance / expected - 1) < 5 * Math.sqrt(2 / b.size)); // five standard errors
engine.destroy();
