/**
 * The largest network of the papers at CIFAR-10's size, NCSN++ (continuous, deep): does it fit, what does it take?
 * Builds it, runs one forward pass and one training step at batch 1 with Adam and the average of the weights, and
 * prints times and memory. Run it with: npx tsx bench/full-size.ts [--checkpointing] [--mixed] [--batch N]
 */
import { parseArgs } from "node:util";
import { grad } from "../engine/autograd.ts";
import { mebibytes } from "../engine/buffers.ts";
import { Engine } from "../engine/engine.ts";
import { Adam } from "../engine/optim/adam.ts";
import { clipGradients } from "../engine/optim/clip.ts";
import { randn } from "../engine/random.ts";
import type { Tensor } from "../engine/tensor.ts";
import { setCheckpointing } from "../models/blocks/index.ts";
import { countParameters, Init } from "../models/index.ts";
import { NcsnPP } from "../models/ncsnpp.ts";
import { asPredictor } from "../models/prediction.ts";
import { ve } from "../samplers/sde/index.ts";
import { neededBytes, sdeLoss, stepMemory, timeDraws } from "../train/index.ts";

const { values } = parseArgs({
  options: {
    checkpointing: { type: "boolean", default: false },
    mixed: { type: "boolean", default: false },
    batch: { type: "string", default: "1" },
  },
});
const batch = Number(values.batch);
const engine = await Engine.create();
const sde = ve({ sigmaMin: 0.01, sigmaMax: 50 });
const network = await timed("build", () => {
  return new NcsnPP(new Init(engine, 1), {
    channels: 3,
    imageSize: 32,
    nf: 128,
    chMult: [1, 2, 2, 2],
    numResBlocks: 8,
    attnResolutions: [16],
    predicts: "score",
    sigmas: sde.discreteSigmas.toReversed(),
  });
});
console.log(`${countParameters(network).toLocaleString("en")} parameters`);
setCheckpointing(network, values.checkpointing);
const net = asPredictor(network);
const score: typeof net = Object.assign(
  (x: Tensor, t: Tensor) => engine.autocast(() => net(x, t), values.mixed),
  {
    predicts: net.predicts,
  },
);
const optimizer = new Adam(network.parameters(), { lr: 2e-4, warmup: 5000, emaDecay: 0.999 });
const params = [...optimizer.params.values()];

const x = engine.untrack(randn(engine, [batch, 3, 32, 32], { seed: 1, purpose: "prior" }));
const draws = timeDraws(x, { seed: 1, step: 0 });
const loss = () => sdeLoss(score, sde, x, draws, { reduceMean: false });
const gradients = (value: Tensor) => {
  const grads = grad(value, params);
  return { grads, clip: clipGradients(grads, 1) };
};

for (const run of ["cold", "warm"])
  await timed(`forward, ${run}`, () =>
    engine.scope(() => engine.noGrad(() => void score(x, sde.condition(draws.u)))),
  );
let value = 0;
for (const run of ["cold", "warm"]) {
  engine.resetPeak();
  const kept = await timed(`training step, ${run}`, () =>
    engine.scope(() => {
      const l = loss();
      optimizer.advance();
      const { grads, clip } = gradients(l);
      optimizer.apply(grads, clip);
      return l;
    }),
  );
  value = await kept.item();
}
console.log(`loss ${value}; ${mebibytes(engine.memory().peak)} in use at the peak`);
const memory = stepMemory(engine, optimizer, loss, gradients);
for (const [part, bytes] of Object.entries(memory)) console.log(`  ${part.padEnd(10)} ${mebibytes(bytes)}`);
console.log(`the peak is ${(memory.peak / neededBytes(memory)).toFixed(2)} of the sum of the parts`);
engine.destroy();

async function timed<T>(what: string, run: () => T): Promise<T> {
  const start = performance.now();
  const result = run();
  await engine.sync();
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
