import { expect, test } from "vitest";
import { engine } from "../support/engine.ts";
import { allKernels } from "../support/kernels.ts";

const kernels = await allKernels();

test.each(kernels.map((k) => [k.name, k.variants.length, k] as const))(
  "%s compiles in all of its %i variants",
  async (_, count, kernel) => {
    const programs = kernel.variants.map((v) => engine.programs.find(kernel, v));
    await engine.programs.compile(programs);
    expect(programs.filter((p) => p.pipeline)).toHaveLength(count);
    await engine.sync(); // and the module had nothing to report
  },
);
