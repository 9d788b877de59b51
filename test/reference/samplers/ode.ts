import type { Engine } from "../../../engine/engine.ts";
import {
  add,
  cast,
  conv2d,
  matmul,
  mul,
  reshape,
  scale,
  silu,
  sub,
  transpose,
} from "../../../engine/ops/index.ts";
import { epsToScore } from "../../../models/prediction.ts";
import { decode, likelihood, rk45, type ScoreFunction } from "../../../samplers/index.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { upload } from "../op-context.ts";
import { sdeOf } from "../sde.ts";
import { SamplerContext } from "./context.ts";
import { modelOf } from "./pc.ts";

/** The solver that all these cases name, RK45, with the case's tolerances. */
const solverOf = ({ attrs }: SamplerContext) =>
  rk45({ rtol: attrs.number("rtol"), atol: attrs.number("atol") });

/** Sampling by the adaptive solver from the latents in.z. The published denoising step draws noise that it then ignores. */
async function sample(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const context = new SamplerContext(engine, c);
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
  const context = new SamplerContext(engine, c);
  const draw = context.draw();
  context.finish();
  const result = await likelihood(scoreOf(context), context.in("x"), {
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

const scoreOf = (c: SamplerContext): ScoreFunction =>
  c.attrs.string("model").startsWith("TinyNet") ? tinyNet(c) : modelOf(c).score;

/** conv2(silu(conv1(x) + cond(scale label))), which predicts noise. */
function tinyNet(c: SamplerContext): ScoreFunction {
  const param = (name: string) => upload(c.engine, c.case.tensors.get(`param.${name}`)!);
  const conv = (name: string) => [param(`${name}.weight`), param(`${name}.bias`)] as const;
  const [[w1, b1], [w2, b2], [wc, bc]] = [conv("conv1"), conv("conv2"), conv("cond")];
  const { marginal } = sdeOf(c.attrs);
  const eps = Object.assign(
    (x: Parameters<ScoreFunction>[0], label: Parameters<ScoreFunction>[1]) => {
      const told = reshape(mul(label, c.attrs.number("label_scale")), [-1, 1]);
      const shift = add(matmul(told, transpose(wc)), bc); // [n,hidden]
      const hidden = conv2d(x, w1, b1, { padding: 1 });
      return conv2d(silu(add(hidden, reshape(shift, [x.dim(0), -1, 1, 1]))), w2, b2, { padding: 1 });
    },
    { predicts: "eps" as const },
  );
  return epsToScore(eps, (label) => marginal(scale(label, 1 / 999)).std);
}

export const odeRunners = { ode_: sample, likelihood_: bits };
