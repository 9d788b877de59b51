/** Trains a small score network on a folder of images and draws new ones: FOLDER [STEPS]; drawn digits without. */
import assert from "node:assert/strict";
import { Engine } from "stein";
import { openImageSet, order, toBatch } from "stein/data";
import { asPredictor, buildScoreNet, countParameters } from "stein/models";
import { annealedLangevin } from "stein/samplers";
import { annealed, Batches, geometricSigmas, Trainer } from "stein/train";

const [folder, steps = "300"] = process.argv.slice(2);
const [size, n, seed] = [16, 16, 1];
const sigmas = geometricSigmas({ begin: 1, end: 0.01, count: 10 });
const where =
  folder === undefined ? ({ name: "digits" } as const) : ({ name: "folder", path: folder } as const);
const images = openImageSet({ ...where, size, channels: 1 });

const engine = await Engine.create();
const model = { name: "ncsn-small", channels: [8, 16, 16], imageChannels: 1, imageSize: size, seed } as const;
const network = buildScoreNet(engine, { ...model, sigmas });
console.log(`${countParameters(network)} parameters, ${images.count} images`);

const batches = new Batches({ count: images.count, size: n, seed, order });
const trainer = new Trainer(engine, {
  ...{ network, batches, seed, shape: [n, 1, size, size], optimizer: { lr: 0.003 } },
  objective: () => annealed(engine, { sigmas, batches }),
  fill: (indices, out) => out.set(toBatch(images, indices)),
});
const losses: number[] = [];
while (trainer.step < Number(steps)) {
  for (let k = 0; k < 10; k++) trainer.advance();
  losses.push((await trainer.reports()).reduce((sum, { loss }) => sum + loss / 10, 0));
  console.log(`step ${trainer.step}: loss ${losses.at(-1)!.toFixed(2)}`);
}
assert(losses.at(-1)! < losses[0]!, "it has not learned");

const sampling = { sigmas, stepsPerLevel: 10, epsilon: 5e-5, prior: "normal", seed } as const;
const x = await annealedLangevin(engine, asPredictor(network), [1, 1, size, size], sampling);
const shade = (v: number) => " .:-=+*#%@"[Math.min(9, Math.max(0, Math.floor(10 * v)))]!.repeat(2);
const pixels = [...(await x.data())].map(shade);
for (let row = 0; row < size; row++) console.log(pixels.slice(row * size, (row + 1) * size).join(""));
engine.destroy();
