import type { Engine } from "../engine/engine.ts";
import type { Batches } from "../train/batches.ts";
import { annealed, type Objective, sdeObjective } from "../train/objectives/index.ts";
import type { Config } from "./config.ts";
import { sigmasOf } from "./network.ts";
import { sdeOf } from "./score.ts";

/** What a configuration's training minimises. */
export function objectiveOf(engine: Engine, config: Config, batches: Batches): Objective {
  if (!config.sde) {
    const { annealPower, loss, projection, particles } = config.training;
    return annealed(engine, {
      sigmas: sigmasOf(config),
      batches,
      annealPower,
      ...(loss && { loss }),
      ...(projection && { projection }),
      ...(particles !== undefined && { particles }),
    });
  }
  const { reduceMean, likelihoodWeighting } = config.training;
  const { continuous } = config.sde;
  return sdeObjective(sdeOf(config), { continuous, reduceMean, likelihoodWeighting });
}
