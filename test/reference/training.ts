import type { Kind } from "./kinds.ts";
import { averages } from "./training/averages.ts";
import { optimizers } from "./training/optimizers.ts";
import { steps } from "./training/steps.ts";

const familyOf = ({ attrs }: Parameters<Kind["family"]>[0]) =>
  attrs.has("average") && !attrs.has("network")
    ? "average"
    : attrs.has("network")
      ? attrs.string("network")
      : "optimizer";

/** Averages of weights, optimizers, and short trainings with recorded draws. */
export const training: Kind = {
  family: familyOf,

  run(engine, c) {
    const family = familyOf(c);
    if (family === "average") return averages(engine, c);
    return family === "optimizer" ? optimizers(engine, c) : steps(engine, c);
  },
};
