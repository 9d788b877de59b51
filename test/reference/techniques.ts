import { UsageError } from "../../engine/errors.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import { levelOverlap, ratioOf, varianceRatio } from "../../train/techniques/index.ts";
import type { ReferenceCase } from "./case.ts";
import type { NamedValues } from "./compare.ts";
import type { Kind } from "./kinds.ts";

/** Noise schedules of the published configurations, and the two design rules. */
export const techniques: Kind = {
  family: (c) => c.name.split("_")[0]!,
  run: async (_, c) => (c.attrs.has("columns") ? rules(c) : schedule(c)),
};

/** The rules at the inputs of each row: its first columns. */
function rules(c: ReferenceCase): NamedValues {
  const columns = c.attrs.strings("columns");
  const table = c.values("out.table");
  const rows = Array.from({ length: table.length / columns.length }, (_, i) => {
    const row = table.subarray(i * columns.length, (i + 1) * columns.length);
    const given = Object.fromEntries(columns.map((name, k) => [name, row[k]!])) as Inputs;
    return columns.map((name) => ruleNamed(name, given));
  });
  return new Map([["out.table", rows.flat()]]);
}

type Inputs = Record<"gamma" | "D" | "sigma_last" | "steps" | "eps", number>;

function ruleNamed(name: string, given: Inputs): number {
  const { gamma, D, sigma_last, steps, eps } = given;
  if (name === "level_overlap") return levelOverlap(gamma, D);
  if (name === "variance_ratio") return varianceRatio({ gamma, steps }, eps / sigma_last ** 2);
  if (!(name in given)) throw new UsageError(`unknown column ${name}`);
  return given[name as keyof Inputs];
}

/** The ladder and its step sizes; the rules are attributes, held to nearly their last digit. */
function schedule(c: ReferenceCase): NamedValues {
  const [model, sampling, expected] = ["model", "sampling", "rules"].map((name) => c.attrs.record(name));
  const [begin, end] = [model!.number("sigma_begin"), model!.number("sigma_end")];
  const count = model!.number("num_classes");
  const [steps, epsilon] = [sampling!.number("n_steps_each"), sampling!.number("step_lr")];
  const gamma = ratioOf(begin, end, count);
  const got = {
    gamma,
    level_overlap: levelOverlap(gamma, expected!.number("D")),
    variance_ratio: varianceRatio({ gamma, steps }, epsilon / end ** 2),
  };
  for (const [name, value] of Object.entries(got)) {
    const truth = expected!.number(name);
    if (!(Math.abs(value - truth) <= 1e-12 * Math.max(1, truth)))
      throw new UsageError(`${c.name}: got ${name} ${value}, expected ${truth}`);
  }
  const sigmas = geometricSigmas({ begin, end, count });
  return new Map([
    ["out.sigmas", sigmas],
    ["out.step_sizes", sigmas.map((sigma) => epsilon * (sigma / end) ** 2)],
  ]);
}
