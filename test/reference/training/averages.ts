import type { Engine } from "../../../engine/engine.ts";
import { Sgd } from "../../../engine/optim/sgd.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { prefixed, valuesOf, variables } from "./state.ts";

/** The average after each update, of parameters that are set before it: an optimizer moves it whose gradients are 0. */
export async function averages(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const { attrs } = c;
  const params = variables(engine, c, "param.");
  const helper = attrs.string("average") === "EMAHelper";
  const optimizer = new Sgd(params, {
    lr: 1,
    emaDecay: attrs.number(helper ? "mu" : "decay"),
    emaWarmup: !helper && attrs.boolean("use_num_updates"),
  });
  const still = [...params.values()].map((t) => engine.zeros(t.shape));
  const results: [string, Values][] = [];
  for (let step = 0; step < attrs.number("steps"); step++) {
    for (const [name, t] of params) t.write(c.values(`in.step${step}.${name}`));
    optimizer.advance();
    optimizer.apply(still);
    results.push(...prefixed(`out.step${step}.`, await valuesOf(engine, optimizer.ema!.shadow)));
  }
  optimizer.dispose();
  for (const t of [...still, ...params.values()]) t.dispose();
  return new Map(results);
}
