import { grad } from "../../engine/autograd.ts";
import { UsageError } from "../../engine/errors.ts";
import { Init } from "../../models/init.ts";
import type { Kind } from "./kinds.ts";
import { ModelContext } from "./model-context.ts";
import { modelLosses } from "./model-losses.ts";
import { networks } from "./networks.ts";

/** Whole networks: output, loss and the loss's gradients. */
export const models: Kind = {
  family: (c) => c.attrs.string("network", "without a name"),

  async run(engine, c) {
    const build = networks[c.attrs.string("network", "")];
    if (!build) throw new UsageError(`unknown network ${c.attrs.string("network", "")}`);
    const lossName = c.attrs.string("loss");
    const loss = modelLosses[lossName];
    if (!loss) throw new UsageError(`unknown loss ${lossName}`);

    const { module, score } = build(new Init(engine), c);
    module.load(c.under("param."));
    const wanted = [...module.parameters()].filter(([name]) => c.tensors.has(`grad.param.${name}`));
    const results = engine.scope(() => {
      const context = new ModelContext(engine, c, score);
      const output = engine.noGrad(() => score(context.in("x"), context.optional("labels")));
      const value = loss(context);
      const grads = grad(
        value,
        wanted.map(([, t]) => t),
      );
      const named = Object.fromEntries(wanted.map(([name], i) => [`grad.param.${name}`, grads[i]!]));
      return { "out.output": output, "out.loss": value, ...named };
    });
    const values = await engine.readAll(Object.values(results));
    for (const t of Object.values(results)) t.dispose();
    module.dispose();
    return new Map(Object.keys(results).map((name, i) => [name, values[i]!]));
  },
};
