/** What holds inside of a function no longer holds after it, however it ends. */
import { expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { add, mul, silu, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { engine } from "../support/engine.ts";

class Interruption extends Error {}

/** Runs a function in a mode. */
type Mode = (fn: () => unknown) => unknown;

const f16 = engine.device.features.has("shader-f16");
const modes: Record<string, Mode> = {
  scope: (fn) => engine.scope(fn),
  noGrad: (fn) => engine.noGrad(fn),
  withGrad: (fn) => engine.noGrad(() => engine.withGrad(fn)),
  ...(f16 && { autocast: (fn: () => unknown) => engine.autocast(fn) }),
  forward: (fn) => engine.forward(fn),
  within: (fn) => engine.within(["net", "block"], fn),
  capture: (fn) => engine.capture(fn),
  dry: (fn) => engine.dry(fn),
  standingFor: (fn) => engine.standingFor(7, fn),
  forcing: (fn) => engine.choices.forcing("conv2d", { kernel: "rows" }, fn),
  "modes in modes": (fn) => engine.scope(() => engine.noGrad(() => engine.capture(() => engine.scope(fn)))),
};

/** All that a mode could have left changed. */
function state() {
  const { recording, autocasting, path } = engine;
  const x = engine.ones([1, 1, 2, 2]);
  const asked: unknown[] = [];
  engine.dry(
    () => silu(x),
    (launch) => asked.push(launch.asked),
  );
  x.dispose();
  return { recording, autocasting, path: [...path], live: engine.memory().live, asked };
}

test.each(Object.entries(modes))("an error inside of %s leaves all as it was", async (_, mode) => {
  const x = engine.variable([1, 2, 3, 4], [1, 1, 2, 2]);
  await engine.sync();
  const before = state();
  const failing = () => {
    const y = mul(silu(x), 2);
    engine.scope(() => add(y, 1));
    throw new Interruption("stop");
  };
  expect(() => engine.scope(() => mode(failing))).toThrow(Interruption);
  expect(state()).toEqual(before);
  const y = engine.scope(() => sum(x)); // recorded for a backward pass, in f32, in no list of a capture
  expect([y.requiresGrad, y.dtype, await y.item()]).toEqual([true, "f32", 10]);
  const capture = engine.capture(() => add(x, 1)); // and the next one begins anew
  const kernels = capture.commands.map(({ program }) => program.kernel.name);
  expect(kernels.filter((name) => name !== "fill")).toEqual(["binary_scalar"]); // the tests' engine fills what is new
  capture.replay();
  expect([...(await capture.result.data())]).toEqual([2, 3, 4, 5]);
  capture.dispose();
  for (const t of [x, y]) t.dispose();
});

test("a step of prepare or verify that throws leaves all as it was", async () => {
  const before = state();
  const failing = () => {
    throw new Interruption("stop");
  };
  await expect(engine.prepare(failing)).rejects.toThrow(Interruption);
  await expect(engine.verify(failing)).rejects.toThrow(Interruption);
  expect(engine.observer).toBeUndefined();
  expect(state()).toEqual(before);
});

test.each(["noGrad", "withGrad", "scope", ...(f16 ? ["autocast"] : [])] as const)(
  "%s refuses an async function: the mode would end at its first await",
  async (name) => {
    const x = engine.ones([2]);
    const later: Promise<Tensor>[] = [];
    const run = engine[name as "noGrad"].bind(engine);
    expect(() =>
      run(() => {
        later.push(Promise.resolve().then(() => add(x, 1)));
        return later[0];
      }),
    ).toThrow(UsageError);
    for (const y of await Promise.all(later)) y.dispose();
    x.dispose();
  },
);
