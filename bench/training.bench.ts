import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { agrees } from "./checks.ts";
import type { Case } from "./harness.ts";
import { kept, recorded, times } from "./inputs.ts";
import { batch, DilatedStep } from "./networks.ts";

// A whole training step: what the kernels come to together.

export const dilatedName = "training step, dilated network";
const dilated = (engine: Engine): DilatedStep => kept(engine, "dilated step", () => new DilatedStep(engine));

/** The captured step. */
export const dilatedCapture = (engine: Engine): Capture<unknown> => {
  const step = dilated(engine);
  step.advance();
  return recorded(engine, "dilated step", () => step.step());
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
    run: (engine) => dilatedCapture(engine).replay(),
    check: (engine) => agrees(engine, () => dilated(engine).loss([2, 3, 9, 9])),
  },
];
