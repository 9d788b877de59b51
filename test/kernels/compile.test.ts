import { expect, test } from "vitest";
import { engine } from "../support/engine.ts";
import { allKernels, variantsFor } from "../support/kernels.ts";

const kernels = await allKernels();

const { hardware } = engine;

test.each(kernels.map((k) => [k.name, variantsFor(k, hardware).length, k] as const))(
  "%s compiles in all of its %i variants",
  async (_, count, kernel) => {
    const programs = variantsFor(kernel, hardware).map((v) => engine.programs.find(kernel, v));
    await engine.programs.compile(programs);
    expect(programs.filter((p) => p.pipeline)).toHaveLength(count);
    await engine.sync(); // and the module had nothing to report
  },
);
