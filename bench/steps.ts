import { readConfig } from "../cli/config.ts";
import { imageOf, openNetwork } from "../cli/network.ts";
import { packaged } from "../cli/packaged.ts";
import { scoreOf } from "../cli/score.ts";
import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { StepNoise } from "../samplers/noise.ts";
import { demoName, demoTrainer } from "./demo.bench.ts";
import { kept, recorded } from "./inputs.ts";
import { dilatedCapture, dilatedName } from "./training.bench.ts";

/** A captured step whose time is to be told apart by kernels. */
export interface Step {
  readonly name: string;
  capture(engine: Engine): Capture<unknown>;
}

const SAMPLES = 16;

/** A Langevin step of the demo's network, untrained: as `stein sample` replays it. */
function langevin(engine: Engine): Capture<unknown> {
  const config = readConfig(packaged("configs/demo.yaml"));
  const { channels, height } = imageOf(config);
  const score = kept(engine, "demo score", () =>
    scoreOf(openNetwork(engine, config, { channels, height }), config),
  );
  const x = kept(engine, "demo samples", () =>
    engine.untrack(engine.zeros([SAMPLES, channels, height, height])),
  );
  const label = kept(engine, "demo labels", () => engine.untrack(engine.zeros([SAMPLES], "i32")));
  const fusion = "network";
  const step = () => {
    const noise = new StepNoise(engine, { seed: 1, fusion });
    engine.noGrad(() => {
      const s = score(x, label);
      noise.updateBy(x, s, { keep: 1, pull: 1e-8, noise: 1e-4 }, noise.of(x.shape)); // so small that the chain stays finite
    });
  };
  return recorded(engine, "langevin step of the demo", step, { fuseUpdates: true, hoist: true });
}

/** The steps of training and sampling. */
export const steps: readonly Step[] = [
  { name: dilatedName, capture: dilatedCapture },
  { name: demoName, capture: (engine) => demoTrainer(engine).captured! },
  { name: `sampling step, demo network, batch ${SAMPLES}`, capture: langevin },
];
