import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import type { StepMemory } from "../train/index.ts";
import { agrees } from "./checks.ts";
import type { Case } from "./harness.ts";
import { kept, recorded, times } from "./inputs.ts";
import { batch, DilatedStep, demoTrainer } from "./networks.ts";

// Whole training steps: what the kernels come to together.

export const dilatedName = "training step, dilated network";
const demoName = "training step, demo network";
const dilated = (engine: Engine): DilatedStep => kept(engine, "dilated step", () => new DilatedStep(engine));

/** The captured steps, by the names of their cases, for the profiler too. */
export const captures: Record<string, (engine: Engine) => Capture<unknown>> = {
  [dilatedName]: (engine) => {
    const step = dilated(engine);
    step.advance();
    return recorded(engine, "dilated step", () => step.step());
  },
  [demoName]: (engine) => demoTrainer(engine).captured!,
};

/** What the trained networks' steps need of the device's memory, by the names of their cases. */
export const memories: Record<string, (engine: Engine) => StepMemory> = {
  [demoName]: (engine) => demoTrainer(engine).memory(),
};

const [n, , height, width] = batch;
/** Multiply-adds of all convolutions forward; backward costs twice as much, without the input's gradient of the first. */
const first = n * height * width * 9 * 3 * 32;
const forward = 2 * first + 3 * n * height * width * 9 * 32 * 32;

export const cases: readonly Case[] = [
  {
    name: dilatedName,
    group: "training",
    shape: `batch ${times(batch)}`,
    bound: "compute",
    bytes: 0,
    flops: 2 * (3 * forward - first),
    run: (engine) => captures[dilatedName]!(engine).replay(),
    check: (engine) => agrees(engine, () => dilated(engine).loss([2, 3, 9, 9])),
  },
  {
    name: demoName,
    group: "training",
    shape: "batch 16x1x28x28",
    bound: "compute",
    bytes: 0,
    flops: 0,
    run: (engine) => captures[demoName]!(engine).replay(),
    check: async (engine) => {
      const [report] = await demoTrainer(engine).reports(); // throws, naming the layer, where the loss is not finite
      return report && report.loss > 0 ? undefined : `a loss of ${report?.loss}`;
    },
  },
];
