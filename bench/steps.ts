import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { demoName, demoTrainer } from "./demo.bench.ts";
import { langevinCapture, langevinName } from "./sampling.bench.ts";
import { dilatedCapture, dilatedName } from "./training.bench.ts";

/** A captured step whose time is to be told apart by kernels. */
interface Step {
  readonly name: string;
  capture(engine: Engine): Capture<unknown>;
}

const SAMPLES = 16;

/** The steps of training and sampling. */
export const steps: readonly Step[] = [
  { name: dilatedName, capture: dilatedCapture },
  { name: demoName, capture: (engine) => demoTrainer(engine).captured! },
  { name: `${langevinName}, batch ${SAMPLES}`, capture: (engine) => langevinCapture(engine, SAMPLES) },
];
