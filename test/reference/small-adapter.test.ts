/**
 * The smallest adapter that WebGPU allows: its default limits, no optional feature. Of the published cases those that
 * reference.test.ts does not run: it runs the others there under `npm run test:driver` and `npm run test:small`.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { defaultLimits, type LimitName } from "../../engine/hardware.ts";
import { add, neg } from "../../engine/ops/index.ts";
import { smallest } from "../support/adapter.ts";
import { allKernels, variantsFor } from "../support/kernels.ts";
import { readCases } from "./case.ts";
import { explain, runCase } from "./suite.ts";

const folder = join(import.meta.dirname, "../../../shared/reference");
const present = existsSync(join(folder, "index.json"));
const cases = present ? readCases(folder) : [];
const kernels = await allKernels();

const hardware = { subgroups: false, maxWorkgroupStorage: defaultLimits.maxComputeWorkgroupStorageSize };
let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ quiet: true, ...smallest }); // nothing filled first: neighbours fuse, as for users;
});
afterAll(() => engine.destroy());

test("it has what every adapter has, and nothing more", () => {
  const { limits, features } = engine.device;
  const names = Object.keys(defaultLimits) as LimitName[];
  expect(Object.fromEntries(names.map((name) => [name, limits[name]]))).toEqual(defaultLimits);
  expect([...features].filter((name) => name !== "core-features-and-limits")).toEqual([]);
});

test.each(kernels.map((k) => [k.name, variantsFor(k, hardware).length, k] as const))(
  "%s compiles in all of its %i variants",
  async (_, count, kernel) => {
    const programs = variantsFor(kernel, hardware).map((v) => engine.programs.find(kernel, v));
    await engine.programs.compile(programs);
    expect(programs.filter((p) => p.pipeline)).toHaveLength(count);
    await engine.sync();
  },
);

test("elementwise ops of more arrays than a stage binds replay as several kernels", async () => {
  const terms = Array.from({ length: 8 }, (_, i) => engine.full([1000], 2 ** i));
  const nothing = engine.zeros([1000]);
  const capture = engine.capture(() => terms.reduce((total, term) => add(total, term), neg(nothing)));
  const most = Math.max(...capture.commands.map(({ ranges }) => ranges.length));
  expect(most).toBe(defaultLimits.maxStorageBuffersPerShaderStage);
  capture.replay();
  const got = await capture.result.data();
  expect(got.every((v) => v === 255)).toBe(true);
  capture.dispose();
  for (const t of [nothing, ...terms]) t.dispose();
});

describe.skipIf(!present).each(["models", "sde", "samplers"])("published %s", (kind) => {
  const here = cases.filter((c) => c.kind === kind);

  test.each(here.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const outcome = await runCase(engine, c);
    expect(explain(outcome)).toEqual([]);
    expect(outcome.passed).toBe(true);
  });

  test("there are some", () => expect(here.length).toBeGreaterThan(0));
});
