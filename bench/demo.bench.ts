import { readConfig } from "../cli/config.ts";
import { packaged } from "../cli/packaged.ts";
import { openRun } from "../cli/run.ts";
import type { Engine } from "../engine/engine.ts";
import type { Trainer } from "../train/index.ts";
import type { Case } from "./harness.ts";
import { kept } from "./inputs.ts";

// The demo's training step. Its configuration is a file, so Node only.

/** The trainer of `stein demo`, one step taken, so that its capture stands. */
export const demoTrainer = (engine: Engine): Trainer =>
  kept(engine, "demo", () => {
    const config = readConfig(packaged("configs/demo.yaml"));
    const { trainer } = openRun(engine, config, "unused");
    trainer.advance();
    return trainer;
  });

export const demoName = "training step, demo network";

export const cases: readonly Case[] = [
  {
    name: demoName,
    group: "training",
    shape: "batch 16x1x28x28",
    bound: "compute",
    bytes: 0,
    flops: 0,
    run: (engine) => demoTrainer(engine).captured!.replay(),
    check: async (engine) => {
      const [report] = await demoTrainer(engine).reports(); // throws, naming the layer, where the loss is not finite
      return report && report.loss > 0 ? undefined : `a loss of ${report?.loss}`;
    },
  },
];
