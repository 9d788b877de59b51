import { expect, test } from "vitest";
import type { Kernel } from "../../kernels/kernel.ts";
import { engine } from "../support/engine.ts";
import { allKernels } from "../support/kernels.ts";

const kernels = await allKernels();

/** Those that this adapter's features allow. */
const variantsOf = ({ variants, subgroups }: Kernel) =>
  variants.filter((v) => engine.hardware.subgroups || !subgroups?.(v));

test.each(kernels.map((k) => [k.name, variantsOf(k).length, k] as const))(
  "%s compiles in all of its %i variants",
  async (_, count, kernel) => {
    const programs = variantsOf(kernel).map((v) => engine.programs.find(kernel, v));
    await engine.programs.compile(programs);
    expect(programs.filter((p) => p.pipeline)).toHaveLength(count);
    await engine.sync(); // and the module had nothing to report
  },
);
