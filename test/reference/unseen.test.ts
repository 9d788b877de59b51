/** Cases that this folder has not, made of those that it has: another folder may hold such. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../engine/safetensors.ts";
import { tempFolder } from "../data/temp-folder.ts";
import { engine } from "../support/engine.ts";
import { ReferenceCase } from "./case.ts";
import { lossNamed } from "./losses.ts";
import { SamplerContext } from "./samplers/context.ts";
import { passFlowDraws } from "./samplers/pc.ts";
import { explain, runCase } from "./suite.ts";

type Entry = ConstructorParameters<typeof ReferenceCase>[1];

const folder = join(import.meta.dirname, "../../../shared/reference");
const index = join(folder, "index.json");
const present = existsSync(index);
const entries: Entry[] = present ? JSON.parse(readFileSync(index, "utf8")).cases : [];
const named = (name: string): Entry => entries.find((entry) => entry.name === name)!;

describe.skipIf(!present)("a network of the published code", () => {
  test("passes over sides at which it is asked to attend and which it does not have", async () => {
    const entry = named("ddpm_vp");
    const config = { ...(entry.attrs.config as object), attn: [4, 64] };
    const outcome = await runCase(
      engine,
      new ReferenceCase(folder, { ...entry, attrs: { ...entry.attrs, config } }),
    );
    expect(explain(outcome)).toEqual([]);
  });

  test("has another name in the code of 2020", async () => {
    const entry = named("ncsn_CondRefineNetDeeperDilated");
    const attrs = { ...entry.attrs, network: "NCSNdeeper" };
    expect(explain(await runCase(engine, new ReferenceCase(folder, { ...entry, attrs })))).toEqual([]);
  });
});

describe.skipIf(!present)("a case of samplers or losses", () => {
  test("of the sub-VP SDE is in continuous time, whatever it says", async () => {
    const entry = named("sde_subvpsde_sum");
    const attrs = { ...entry.attrs, continuous: false };
    expect(explain(await runCase(engine, new ReferenceCase(folder, { ...entry, attrs })))).toEqual([]);
  });

  test("of an ODE may have a network for its score", async () => {
    const entry = named("likelihood_vpsde_rademacher_network");
    const { tensors } = readSafetensors(readFileSync(join(folder, entry.file)));
    const renamed = new Map(
      [...tensors].map(([name, t]) => [name.replace("in.x", "out.x").replace("out.z", "in.z"), t]),
    );
    const made = {
      ...entry,
      name: "ode_vpsde_network",
      file: "ode.safetensors",
      attrs: { ...entry.attrs, denoise: false },
      checks: [{ group: "out.x", tol_max_abs: 5e-3 }], // the latents' own error, which the way back widens
    };
    const bytes = writeSafetensors(renamed);
    const here = tempFolder({ "ode.safetensors": bytes });
    expect(explain(await runCase(engine, new ReferenceCase(here, made)))).toEqual([]);
  });
});

/** The published probability flow with draws beside the prior's, those of its predictors NaN, and tensors of zeros. */
function flowCase(
  name: string,
  attrs: object,
  each: readonly ("used" | "passed over")[],
  zero: readonly string[] = [],
) {
  const entry = named("pc_vesde_reverse_diffusion_none_flow");
  const { tensors } = readSafetensors(readFileSync(join(folder, entry.file)));
  const kept = [...tensors].filter(([key]) => !key.startsWith("noise.") || key.startsWith("noise.000"));
  const { shape, data } = tensors.get("noise.000.randn")!;
  const draws = Array.from({ length: 20 * each.length }, (_, i) => {
    const values = each[i % each.length] === "used" ? data.slice() : new Float32Array(data.length).fill(NaN);
    return [`noise.${String(i + 1).padStart(3, "0")}.randn_like`, { shape, data: values }] as const;
  });
  const zeros = { shape, data: new Float32Array(data.length) };
  const given = zero.map((key) => [key, zeros] as const);
  const file = writeSafetensors(new Map([...kept, ...draws, ...given]));
  const made = { ...entry, name, file: "file", attrs: { ...entry.attrs, ...attrs } };
  const checks = entry.checks.filter(({ group }) => group === "out.x");
  return new ReferenceCase(tempFolder({ file }), { ...made, checks });
}

describe.skipIf(!present)("the probability flow", () => {
  test("with a corrector of next to no length is that without", async () => {
    const c = flowCase("pc_flow", { corrector: "ald", snr: 1e-9 }, ["used", "passed over"]);
    expect(explain(await runCase(engine, c))).toEqual([]);
  });

  test("with nothing known is that of no inpainting", async () => {
    const c = flowCase("inpaint_flow", {}, ["used", "passed over", "used"], ["in.data", "in.mask"]);
    expect(explain(await runCase(engine, c))).toEqual([]);
  });
});

test.each([
  { held: false, corrector: "none", used: [0] },
  { held: false, corrector: "langevin", used: [0, 1, 2, 4, 5] },
  { held: true, corrector: "none", used: [0, 1, 3, 4, 6] },
  { held: true, corrector: "langevin", used: [0, 1, 2, 3, 5, 6] },
])(
  "noise that predictors multiply by 0 is passed over: held $held, corrector $corrector",
  async ({ held, corrector, used }) => {
    const draws = Array.from({ length: 7 }, (_, i) => `noise.00${i}.randn_like`);
    const file = writeSafetensors(
      new Map(draws.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }])),
    );
    const attrs = { probability_flow: true, predictor: "reverse_diffusion", corrector, n_steps: 2 };
    const c = new ReferenceCase(tempFolder({ file }), {
      file: "file",
      kind: "samplers",
      name: "",
      attrs,
      checks: [],
    });
    using context = new SamplerContext(engine, c);
    passFlowDraws(context, { held });
    const drawn = used.map(() => context.draw());
    context.finish();
    const values = await engine.readAll(drawn);
    expect(values.map(([v]) => v)).toEqual(used);
    for (const t of drawn) t.dispose();
  },
);

test.each(["sde_loss VESDE continuous", "sde_loss VPSDE continuous", "smld_loss VESDE", "ddpm_loss VPSDE"])(
  "%s is known as a mean and as a sum",
  (name) => {
    for (const reduceMean of [true, false])
      expect(lossNamed(`${name}, reduce_mean ${reduceMean}`)).toBeTypeOf("function");
  },
);
