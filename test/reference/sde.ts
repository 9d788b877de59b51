import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { add, mul, reshape } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  asScore,
  type Linear,
  priorLogDensity,
  reverse,
  reverseSde,
  type Sde,
  stepIndex,
  subVp,
  timeGrid,
  ve,
  vp,
} from "../../samplers/index.ts";
import { linspace } from "../../samplers/sde/sde.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import type { Attributes, ReferenceCase } from "./case.ts";
import type { NamedValues, Values } from "./compare.ts";
import type { Kind } from "./kinds.ts";
import { upload } from "./op-context.ts";

const veOf = (attrs: Attributes) =>
  ve({ sigmaMin: attrs.number("sigma_min"), sigmaMax: attrs.number("sigma_max"), steps: attrs.number("N") });

const betasOf = (attrs: Attributes) => ({
  betaMin: attrs.number("beta_min"),
  betaMax: attrs.number("beta_max"),
  steps: attrs.number("N"),
});

const families = {
  vesde: veOf,
  vpsde: (attrs: Attributes) => vp(betasOf(attrs)),
  subvpsde: (attrs: Attributes) => subVp(betasOf(attrs)),
};

export type SdeName = keyof typeof families;

/** The SDE that a case's attributes describe. Throws UsageError for one of another name. */
export function sdeOf<N extends SdeName>(
  attrs: Attributes,
  name = attrs.string("sde") as N,
): ReturnType<(typeof families)[N]> {
  const make = families[name];
  if (!make) throw new UsageError(`unknown SDE ${name}`);
  return make(attrs) as ReturnType<(typeof families)[N]>;
}

/** What runs a case: a table, a grid, or an SDE at times. */
export const sde: Kind = {
  family: (c) => (c.attrs.has("sde") ? c.attrs.string("sde") : c.name.split("_").slice(0, -1).join("_")),

  async run(engine, c) {
    if (c.name.startsWith("tables_")) return tables(c.attrs);
    return c.attrs.has("sde") ? atTimes(engine, c) : grid(c.attrs);
  },
};

function tables(attrs: Attributes): NamedValues {
  const { discreteSigmas } = veOf(attrs);
  const { betaMin, betaMax, steps } = betasOf(attrs);
  const { discrete } = vp({ betaMin, betaMax, steps });
  const [begin, end] = [attrs.number("sigma_max"), attrs.number("sigma_min")];
  return new Map<string, Values>([
    ["out.ve_discrete_sigmas", discreteSigmas],
    ["out.network_sigmas", geometricSigmas({ begin, end, count: steps })],
    ["out.vp_discrete_betas", discrete.betas],
    ["out.get_ddpm_params_betas", linspace(betaMin / steps, betaMax / steps, 1000)],
    ["out.vp_alphas", discrete.alphas],
    ["out.vp_alphas_cumprod", discrete.alphasCumprod],
    ["out.vp_sqrt_alphas_cumprod", discrete.sqrtAlphasCumprod],
    ["out.vp_sqrt_1m_alphas_cumprod", discrete.sqrtOneMinusAlphasCumprod],
  ]);
}

function grid(attrs: Attributes): NamedValues {
  const anySde = ve({ sigmaMin: 0.01, sigmaMax: 1, steps: attrs.number("N") });
  const times = timeGrid(anySde, attrs.number("eps"));
  return new Map<string, Values>([
    ["out.t", times],
    ["out.index", times.map((t) => stepIndex(anySde, t))],
  ]);
}

/** Everything that an SDE says of x at one time for each sample. */
async function atTimes(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const sde: Sde = sdeOf(c.attrs);
  const times = [...c.tensors.get("in.t")!.data];
  const tensors = engine.scope(() => {
    const [x, t, score] = ["x", "t", "score"].map((name) => upload(engine, c.tensors.get(`in.${name}`)!));
    return resultsAt(sde, times, { x: x!, t: t!, score: score! });
  });
  const values = await engine.readAll(Object.values(tensors));
  for (const t of Object.values(tensors)) t.dispose();
  const results = Object.keys(tensors).map((name, i): [string, Values] => [`out.${name}`, values[i]!]);
  return new Map([...results, ["out.index", times.map((t) => stepIndex(sde, t))]]);
}

function resultsAt(sde: Sde, times: readonly number[], { x, t, score }: Record<"x" | "t" | "score", Tensor>) {
  const { engine } = x;
  const each = (numbers: readonly number[]) => engine.tensor(numbers);
  const scaled = (a: Tensor, b: Tensor) => mul(reshape(a, [a.size, ...x.shape.slice(1).map(() => 1)]), b);

  const { alpha, std } = sde.marginal(t);
  const { drift, diffusion } = sde.coefficients(t);
  const given = asScore(() => score);
  const [back, flow] = [false, true].map((probabilityFlow) => {
    const steps = times.map((time) => reverse(sde.discretize(time), { probabilityFlow }));
    return {
      ...reverseSde(sde, given, { probabilityFlow })(x, t),
      f: add(scaled(each(steps.map((s) => s.keep)), x), scaled(each(steps.map((s) => s.pull)), score)),
      G: each(steps.map((s) => s.noise)),
    };
  }) as [Reversed, Reversed];
  const steps = times.map((time) => sde.discretize(time));
  return {
    marginal_mean: scaled(alpha, x),
    marginal_std: std,
    drift: scaled(drift, x),
    diffusion,
    discretize_f: scaled(each(steps.map((s) => s.drift)), x),
    discretize_G: each(steps.map((s) => s.diffusion)),
    prior_logp: priorLogDensity(sde, x),
    reverse_sde_drift: back.drift,
    reverse_sde_diffusion: back.diffusion,
    reverse_sde_discretize_f: back.f,
    reverse_sde_discretize_G: back.G,
    reverse_ode_drift: flow.drift,
    reverse_ode_discretize_f: flow.f,
    reverse_ode_discretize_G: flow.G,
  };
}

interface Reversed extends Linear<Tensor> {
  readonly f: Tensor;
  readonly G: Tensor;
}
