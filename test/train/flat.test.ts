import { expect, test } from "vitest";
import { annealedLangevin } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { smallRun } from "./small-run.ts";

/** Bytes in use and buffers created, measured after each part once the first has warmed everything up. */
async function expectFlat(parts: number, part: () => Promise<void>): Promise<void> {
  await part();
  const warm = engine.memory();
  for (let i = 0; i < parts; i++) {
    await part();
    const { live, created } = engine.memory();
    expect({ live, created }, `part ${i}`).toEqual({ live: warm.live, created: warm.created });
  }
}

test("300 recorded steps need no memory beyond the first", async () => {
  using run = smallRun(engine);
  await expectFlat(6, async () => {
    for (let i = 0; i < 50; i++) run.trainer.advance();
    await run.trainer.reports();
  });
});

test("nor do 30 steps that are not recorded", async () => {
  using run = smallRun(engine, { capture: false });
  await expectFlat(3, async () => {
    for (let i = 0; i < 10; i++) run.trainer.advance();
    await run.trainer.reports();
  });
});

test("runs and samples leave nothing behind", async () => {
  const { live } = engine.memory();
  for (let i = 0; i < 2; i++) {
    using run = smallRun(engine);
    run.trainer.advance();
    await run.trainer.reports();
    const x = await annealedLangevin(engine, run.score, [4, 1, 8, 8], {
      sigmas: run.sigmas,
      stepsPerLevel: 2,
      epsilon: 1e-3,
      seed: 1,
    });
    x.dispose();
  }
  expect(engine.memory().live).toBe(live);
});
