/** Sampling needs a score and no network: predictor-corrector on a mixture whose score is known in closed form. */
import assert from "node:assert/strict";
import { add, div, Engine, reshape, scale, square, sub, tanh } from "stein";
import { asScore, predictorCorrector, ve } from "stein/samplers";

// Half of the data is N(-3, 0.5^2), half N(3, 0.5^2). Noise of scale sigma makes that two Gaussians of variance
// v = 0.5^2 + sigma^2, whose score is (3 tanh(3 x / v) - x) / v.
const [MEAN, SPREAD, COUNT] = [3, 0.5, 2000];
const score = asScore((x, sigma) => {
  const v = reshape(add(square(sigma), SPREAD ** 2), [-1, 1]); // [n] -> [n,1]
  return div(sub(scale(tanh(div(scale(x, MEAN), v)), MEAN), x), v);
});

const engine = await Engine.create();
const sde = ve({ sigmaMin: 0.01, sigmaMax: 20, steps: 200 });
const { x, nfe } = await predictorCorrector(engine, score, [COUNT, 1], { sde, seed: 7 });
const values = [...(await x.data())];

for (let low = -5; low < 5; low += 0.5) {
  const inside = values.filter((v) => v >= low && v < low + 0.5).length;
  console.log(`${low.toFixed(1).padStart(5)} ${"#".repeat(inside / 10)}`);
}
const right = values.filter((v) => v > 0).length / COUNT;
const distance = Math.sqrt(values.reduce((sum, v) => sum + (Math.abs(v) - MEAN) ** 2, 0) / COUNT);
console.log(`${nfe} evaluations of the score; ${(100 * right).toFixed(1)} % on the right, expected 50 %`);
console.log(`standard deviation about the nearer mean ${distance.toFixed(3)}, expected ${SPREAD}`);
assert(Math.abs(right - 0.5) < 4 * Math.sqrt(0.25 / COUNT)); // four standard errors
assert(Math.abs(distance - SPREAD) < 4 * SPREAD * Math.sqrt(0.5 / COUNT));
engine.destroy();
