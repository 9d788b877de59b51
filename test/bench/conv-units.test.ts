import { expect, test } from "vitest";
import { selected } from "../../bench/cases.ts";
import { halves, release } from "../../bench/inputs.ts";
import { onUnits } from "../../bench/kernels/conv2d.bench.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { engine } from "../support/engine.ts";

const { hardware } = engine;
/** CPU drivers have no rows for theirs. */
const asGpu: Hardware = { ...hardware, kind: "gpu" };
const without: Hardware = { ...asGpu, matrix: undefined };
const withUnits: Hardware = {
  ...asGpu,
  ...{ maxWorkgroupSize: 1024, maxWorkgroupStorage: 49_152 },
  matrix: { m: 16, n: 16, k: 16, lanes: 32 },
};

test("rows for matrix units are there with the units alone, under names of their own", () => {
  expect(onUnits(without)).toEqual([]);
  const names = onUnits(withUnits).map(({ name }) => name);
  expect(names).toContain("conv 3x3 256->256 16x16 on matrix units");
  expect(new Set(names).size).toBe(names.length);
  const shown = selected(engine, "on matrix units").filter(({ name }) => name.includes("on matrix units"));
  expect(shown).toHaveLength(hardware.matrix && hardware.kind === "gpu" ? names.length : 0);
});

test.runIf(engine.device.features.has("shader-f16"))("they run the kernel they are named for", () => {
  const [row] = onUnits(withUnits);
  const kernels: string[] = [];
  engine.dry(
    () => row!.run(engine),
    ({ program }) => kernels.push(program.kernel.name),
  );
  release(engine); // inputs made in a walk hold no values
  const own = kernels.filter((name) => /conv|matrix/.test(name));
  expect(own).toEqual(["matrix_weight", "matrix_pixels", "conv_matrix"]);
});

test("what they are checked on is exact in f16", async () => {
  const x = halves(engine, [3, 50], 5);
  const values = await x.data();
  for (const v of values) expect(Number.isInteger(v * 64) && Math.abs(v) <= 1).toBe(true);
  expect(new Set(values).size).toBe(129);
  release(engine);
});

test.runIf(hardware.matrix)("they agree with the float64 loops on this adapter's units", async () => {
  for (const row of onUnits(asGpu)) expect(await row.check!(engine), row.name).toBeUndefined();
  release(engine);
});
