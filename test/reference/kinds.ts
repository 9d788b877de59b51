import type { Engine } from "../../engine/engine.ts";
import type { ReferenceCase } from "./case.ts";
import type { NamedValues } from "./compare.ts";
import { losses } from "./losses.ts";
import { models } from "./models.ts";
import { ops } from "./ops.ts";
import { samplers } from "./samplers.ts";
import { sde } from "./sde.ts";
import { techniques } from "./techniques.ts";
import { training } from "./training.ts";

/** How cases of one kind are run. */
export interface Kind {
  /** What the report sums a case up under, beside its kind. */
  family(c: ReferenceCase): string;
  /** Computes on the engine whatever the checks name. Throws where it does not know how. */
  run(engine: Engine, c: ReferenceCase): Promise<NamedValues>;
}

export const kinds: Readonly<Record<string, Kind>> = {
  ops,
  models,
  sde,
  samplers,
  losses,
  training,
  techniques,
};
