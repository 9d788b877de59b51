import { describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { DeviceError } from "../../engine/errors.ts";
import { add, sum } from "../../engine/ops/index.ts";
import { defineKernel, type Kernel } from "../../kernels/kernel.ts";
import { brokenKernel } from "../support/broken.ts";
import { engine } from "../support/engine.ts";

const broken = brokenKernel("1.0 + 2u");

const tooWide = defineKernel({
  ...broken,
  name: "too_wide",
  bindings: { y: "read_write f32" },
  main: (v) => broken.main(v).replace("2u", "2.0"),
  dispatch: () => [100_000, 1, 1],
});

/** The engine reports a fault once, and then works on. */
async function expectWell(): Promise<void> {
  const y = engine.scope(() => sum(add(engine.ones([3]), 1)));
  expect(await y.item()).toBe(6);
  y.dispose();
}

describe("a shader that does not compile", () => {
  test("is named with its variant, line and text", async () => {
    const compiling = engine.programs.compile([
      engine.programs.find(broken as unknown as Kernel, { size: 8 }),
    ]);
    await expect(compiling).rejects.toThrow(
      /^broken \{"size":8\}: WGSL line 7: [\s\S]*: y\[id\.x\] = 1\.0 \+ 2u;$/,
    );
    await expect(compiling).rejects.toMatchObject({ name: "DeviceError", kernel: "broken", line: 7 });
    await engine.sync().catch(() => {}); // the module reported itself, too
    await expectWell();
  });

  test("is told of at the next wait, when it was launched", async () => {
    const y = engine.ones([8]);
    engine.launch(broken, { size: 8 }, { y }, { count: 8 });
    const reading = y.data();
    await expect(reading).rejects.toMatchObject({ name: "DeviceError", kernel: "broken", line: 7 });
    await engine.sync().catch(() => {});
    await expectWell();
    y.dispose();
  });
});

test("a dispatch the device refuses is told of at the next wait", async () => {
  const y = engine.ones([8]);
  engine.launch(tooWide, { size: 8 }, { y }, { count: 8 });
  await expect(engine.sync()).rejects.toThrow(/dispatch/i);
  await engine.sync().catch(() => {});
  await expectWell();
  y.dispose();
});

test("a parameter that is missing is a fault of ours", () => {
  const y = engine.ones([8]);
  expect(() =>
    engine.launch(tooWide, { size: 8 }, { y }, {} as { count: number }),
  ).toThrowErrorMatchingInlineSnapshot(`[Error: internal: too_wide: parameter count is missing]`);
  y.dispose();
});

test("a destroyed engine says so", async () => {
  const own = await Engine.create({ quiet: true });
  const x = own.ones([4]);
  expect(await own.scope(() => sum(x)).item()).toBe(4);
  own.destroy();
  own.destroy();
  await expect(x.data()).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: engine: it was destroyed; create another]`,
  );
  await expect(own.sync()).rejects.toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: engine: it was destroyed; create another]`,
  );
  expect(() => add(x, 1)).toThrowErrorMatchingInlineSnapshot(
    `[DeviceError: engine: it was destroyed; create another]`,
  );
  await expectWell();
});

test("`using` destroys", async () => {
  const seen: Engine[] = [];
  {
    using own = await Engine.create({ quiet: true });
    seen.push(own);
    expect(await own.ones([1]).item()).toBe(1);
  }
  await expect(seen[0]!.sync()).rejects.toThrow(DeviceError);
});
