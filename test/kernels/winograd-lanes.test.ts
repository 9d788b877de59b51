/** How the transforms of winograd.test.ts are shared between lanes, and where: the kernels are held to float64 there. */
import { describe, expect, test } from "vitest";
import { conv2d } from "../../engine/ops/conv2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";

describe("whose rows lanes share", () => {
  const eight = { ...engine.hardware, kind: "cpu", subgroups: true, subgroupSize: 8 } as const;

  /** How a convolution's input is read and its output written on some hardware. */
  function taken(hw: Hardware, width: number, padding: number, dilation: number): string[] {
    const [x, w] = [
      [4, 32, 32, width],
      [32, 32, 3, 3],
    ].map((shape) => upload(normal(shape, 1))) as [Tensor, Tensor];
    const seen: string[] = [];
    try {
      choosingFor(hw, () =>
        engine.choices.forcing("conv2d", { kernel: "winograd", tile: 4 }, () =>
          engine.dry(
            () => conv2d(x, w, undefined, { padding, dilation }),
            ({ program: { kernel, variant } }) => {
              if (/put$/.test(kernel.name)) seen.push(`${variant["by"]} ${variant["share"]}`);
            },
          ),
        ),
      );
    } finally {
      for (const t of [x, w]) t.dispose();
    }
    return seen;
  }

  test.each([
    { width: 32, padding: 1, dilation: 1, input: "fours lanes", output: "fours lanes" },
    { width: 32, padding: 4, dilation: 4, input: "fours lanes", output: "fours lanes" },
    { width: 64, padding: 2, dilation: 2, input: "fours ends", output: "fours lanes" },
    { width: 14, padding: 1, dilation: 1, input: "singles lanes", output: "singles lanes" },
    { width: 20, padding: 2, dilation: 2, input: "singles ends", output: "singles lanes" },
    { width: 34, padding: 0, dilation: 1, input: "singles none", output: "fours lanes" },
    { width: 32, padding: 3, dilation: 3, input: "singles none", output: "singles none" },
  ])("$width wide, padding $padding, dilation $dilation", ({ width, padding, dilation, input, output }) => {
    expect(taken(eight, width, padding, dilation)).toEqual([input, output]);
  });

  test("none without subgroups of eight lanes, and none on a GPU", () => {
    const none = ["singles none", "singles none"];
    expect(taken({ ...eight, subgroupSize: 4 }, 32, 1, 1)).toEqual(none);
    expect(taken({ ...eight, subgroups: false }, 32, 1, 1)).toEqual(none);
    expect(taken({ ...eight, kind: "gpu" }, 32, 1, 1)).toEqual(["fours none", "fours none"]);
    expect(taken({ ...eight, kind: "gpu" }, 32, 2, 2)).toEqual(none);
  });
});
