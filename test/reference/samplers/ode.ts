import type { Engine } from "../../../engine/engine.ts";
import { cast, scale, sub } from "../../../engine/ops/index.ts";
import { decode, likelihood, rk45 } from "../../../samplers/index.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { sdeOf } from "../sde.ts";
import { SamplerContext } from "./context.ts";
import { modelOf } from "./pc.ts";

/** The solver that all these cases name, RK45, with the case's tolerances. */
const solverOf = ({ attrs }: SamplerContext) =>
  rk45({ rtol: attrs.number("rtol"), atol: attrs.number("atol") });

/** Sampling by the adaptive solver from the latents in.z. The published denoising step draws noise that it then ignores. */
async function sample(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  using context = new SamplerContext(engine, c);
  const { x } = await decode(modelOf(context).score, context.in("z"), {
    sde: sdeOf(c.attrs),
    solver: solverOf(context),
    eps: c.attrs.number("eps"),
    denoise: c.attrs.boolean("denoise"),
  });
  const values = await x.data();
  x.dispose();
  return new Map([["out.x", values]]);
}

/** Bits per dimension with the recorded probe. */
async function bits(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  using context = new SamplerContext(engine, c);
  const draw = context.draw();
  context.finish();
  const result = await likelihood(modelOf(context).score, context.in("x"), {
    sde: sdeOf(c.attrs),
    solver: solverOf(context),
    eps: c.attrs.number("eps"),
    probe: c.attrs.string("hutchinson") === "Rademacher" ? sub(scale(cast(draw, "f32"), 2), 1) : draw,
    range: c.attrs.string("inverse_scaler") === "x" ? [0, 1] : [-1, 1],
  });
  const z = await result.latent.data();
  result.latent.dispose();
  return new Map<string, Values>([
    ["out.bpd", result.bitsPerDim],
    ["out.prior_logp", result.priorLogp],
    ["out.delta_logp", result.deltaLogp],
    ["out.z", z],
  ]);
}

export const odeRunners = { ode_: sample, likelihood_: bits };
