import { readConfig } from "../cli/config.ts";
import { imageOf, openNetwork } from "../cli/network.ts";
import { packaged } from "../cli/packaged.ts";
import { scoreOf } from "../cli/score.ts";
import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import type { Tensor } from "../engine/tensor.ts";
import { StepNoise } from "../samplers/noise.ts";
import { agrees } from "./checks.ts";
import type { Case } from "./harness.ts";
import { kept, recorded } from "./inputs.ts";

// A Langevin step of the demo's network, untrained, as `stein sample` replays it. Its configuration is a file, so Node only.

const config = () => readConfig(packaged("configs/demo.yaml"));

const scoreFunction = (engine: Engine) =>
  kept(engine, "demo score", () => {
    const { channels, height } = imageOf(config());
    return scoreOf(openNetwork(engine, config(), { channels, height }), config());
  });

function tensorsOf(engine: Engine, batch: number): { x: Tensor; label: Tensor } {
  const { channels, height } = imageOf(config());
  return kept(engine, `demo samples ${batch}`, () => ({
    x: engine.untrack(engine.zeros([batch, channels, height, height])),
    label: engine.untrack(engine.zeros([batch], "i32")),
  }));
}

function step(engine: Engine, batch: number): void {
  const { x, label } = tensorsOf(engine, batch);
  const noise = new StepNoise(engine, { seed: 1, fusion: "network" });
  engine.noGrad(() => {
    const s = scoreFunction(engine)(x, label);
    noise.updateBy(x, s, { keep: 1, pull: 1e-8, noise: 1e-4 }, noise.of(x.shape)); // so small that the chain stays finite
  });
}

export const langevinCapture = (engine: Engine, batch: number, hoist = true): Capture<unknown> => {
  tensorsOf(engine, batch); // what outlives the step
  scoreFunction(engine);
  const name = `langevin step of the demo, batch ${batch}, ${hoist ? "hoisted" : "whole"}`;
  return recorded(engine, name, () => step(engine, batch), { fuseUpdates: true, hoist });
};

export const langevinName = "sampling step, demo network";

const caseOf = (batch: number, name: string, hoist: boolean): Case => ({
  name,
  group: "sampling",
  shape: `batch ${batch}x1x28x28`,
  bound: "compute",
  bytes: 0,
  flops: 0,
  run: (engine) => langevinCapture(engine, batch, hoist).replay(),
  check: (engine) => agrees(engine, () => engine.scope(() => step(engine, 1))),
});

export const cases: readonly Case[] = [1, 16].flatMap((batch) => [
  caseOf(batch, langevinName, true),
  caseOf(batch, `${langevinName}, constants made anew`, false),
]);
