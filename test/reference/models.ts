import type { Kind } from "./kinds.ts";
import { lossNamed, withLoss } from "./losses.ts";

/** Whole networks: output, loss and the loss's gradients. */
export const models: Kind = {
  family: (c) => c.attrs.string("network", "without a name"),

  run: (engine, c) =>
    withLoss(engine, c, lossNamed(c.attrs.string("loss")), (context) => ({
      "out.output": engine.noGrad(() => context.score(context.in("x"), context.optional("labels"))),
    })),
};
