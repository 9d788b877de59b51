import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { ReferenceCase } from "./case.ts";
import type { NamedValues } from "./compare.ts";
import type { Kind } from "./kinds.ts";
import { controllableRunners } from "./samplers/controllable.ts";
import { langevinRunners } from "./samplers/langevin.ts";
import { odeRunners } from "./samplers/ode.ts";
import { pcRunners } from "./samplers/pc.ts";

export type SamplerRunner = (engine: Engine, c: ReferenceCase) => Promise<NamedValues>;

/** By the beginnings of the cases' names; the longest that fits runs a case. */
const runners: Readonly<Record<string, SamplerRunner>> = {
  ...controllableRunners,
  ...langevinRunners,
  ...odeRunners,
  ...pcRunners,
};

const runnerOf = (name: string): SamplerRunner | undefined => {
  const fits = Object.keys(runners).filter((beginning) => name.startsWith(beginning));
  return runners[fits.sort((a, b) => b.length - a.length)[0]!];
};

/** Samplers with recorded draws, against every state that the published code returns. */
export const samplers: Kind = {
  family: (c) => c.name.split("_")[0]!,

  run(engine, c) {
    const runner = runnerOf(c.name);
    if (!runner) throw new UsageError(`unknown sampler case ${c.name}`);
    return runner(engine, c);
  },
};
