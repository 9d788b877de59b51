import type { Engine } from "../../../engine/engine.ts";
import { Adam, type AdamOptions } from "../../../engine/optim/adam.ts";
import { clipGradients } from "../../../engine/optim/clip.ts";
import { learningRate } from "../../../engine/optim/optimizer.ts";
import type { Attributes, ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { prefixed, valuesOf, variables } from "./state.ts";

/** Adam's options as the published configurations write them. */
export function adamOptions(attrs: Attributes): AdamOptions {
  const beta2 = attrs.has("betas") ? attrs.numbers("betas")[1]! : 0.999;
  const beta1 = attrs.has("betas") ? attrs.numbers("betas")[0]! : attrs.number("beta1");
  return {
    lr: attrs.number("lr"),
    beta1,
    beta2,
    eps: attrs.number("eps"),
    weightDecay: attrs.number("weight_decay", 0),
    warmup: attrs.number("warmup", 0),
  };
}

/** The largest norm of the gradients; undefined where nothing is clipped, which a negative number says. */
export function gradClip(attrs: Attributes): number | undefined {
  const most = attrs.number("grad_clip", -1);
  return most >= 0 ? most : undefined;
}

/** Parameters after each step by given gradients, the moments after the last, and the learning rates. */
export async function optimizers(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const params = variables(engine, c, "param.");
  const options = adamOptions(c.attrs);
  const optimizer = new Adam(params, options);
  const results: [string, Values][] = [];
  const rates: number[] = [];
  for (let step = 0; step < c.attrs.number("steps"); step++) {
    const gradients = variables(engine, c, `in.grad${step}.`);
    const grads = [...params.keys()].map((name) => gradients.get(name)!);
    rates.push(learningRate(options, optimizer.steps));
    const clip = clipGradients(grads, gradClip(c.attrs));
    optimizer.advance();
    optimizer.apply(grads, clip);
    for (const t of [clip, ...grads]) t.dispose();
    results.push(...prefixed(`out.step${step}.`, await valuesOf(engine, params)));
  }
  results.push(...prefixed("out.", await moments(engine, optimizer)), ["out.learning_rates", rates]);
  optimizer.dispose();
  for (const t of params.values()) t.dispose();
  return new Map(results);
}

/** Adam's running sums under the names that PyTorch gives them. */
export async function moments(engine: Engine, optimizer: Adam): Promise<NamedValues> {
  const values = await valuesOf(engine, optimizer.tensors());
  const official = { "m.": "exp_avg.", "v.": "exp_avg_sq.", "ema.": "ema." };
  return new Map(
    [...values].map(([name, v]) => {
      const [ours, theirs] = Object.entries(official).find(([prefix]) => name.startsWith(prefix))!;
      return [theirs + name.slice(ours.length), v];
    }),
  );
}
