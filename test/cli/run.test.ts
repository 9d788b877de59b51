/** What a configuration says of training reaches the trainer. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { openRun } from "../../cli/run.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, tiny } from "./stein.ts";

afterAll(removeFolders);

async function firstLosses(changes: Parameters<typeof tiny>[0]): Promise<number[]> {
  const run = openRun(engine, parseConfig(tiny(changes), "test"), "unused");
  for (let i = 0; i < 3; i++) run.trainer.advance();
  const reports = await run.trainer.reports();
  run.trainer.dispose();
  run.network.dispose();
  return reports.map(({ loss }) => loss);
}

test("flips, dequantization and Adam's eps change the losses, each from the step on that it acts on", async () => {
  const plain = await firstLosses({});
  expect(await firstLosses({ data: { flip: false, uniformDequantization: false } })).toEqual(plain);

  const flipped = await firstLosses({ data: { flip: true } });
  expect(flipped).not.toEqual(plain);
  expect(await firstLosses({ data: { flip: true } })).toEqual(flipped);

  const spread = await firstLosses({ data: { uniformDequantization: true } });
  expect(spread[0]).not.toBe(plain[0]);
  expect(spread[0]).toBeCloseTo(plain[0]!, 0); // by a 256th

  const dull = await firstLosses({ training: { eps: 1000 } });
  expect(dull[0]).toBe(plain[0]); // the first update is still to come
  expect(dull[1]).not.toBe(plain[1]);
});

test("training.checkpointing reaches the network: less is kept, the losses stay", async () => {
  const saved = (checkpointing: boolean) => {
    const run = openRun(engine, parseConfig(tiny({ training: { checkpointing } }), "test"), "unused");
    const { saved } = run.trainer.memory();
    run.trainer.dispose();
    run.network.dispose();
    return saved;
  };
  expect(saved(true)).toBeLessThan(0.7 * saved(false));
  const [plain, again] = [await firstLosses({}), await firstLosses({ training: { checkpointing: true } })];
  for (const [i, loss] of plain.entries()) expect(Math.abs(again[i]! / loss - 1)).toBeLessThan(1e-4);
});

test.runIf(engine.device.features.has("shader-f16"))(
  "stein train tells what mixed precision costs",
  async () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, "run.yaml"), tiny({}));
    const { code, stdout } = await stein(["train", "run.yaml", "--precision", "mixed", "--checkpointing"], {
      cwd,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^mixed precision: on the first batch the loss is off by [\d.]+e-\d and the gradients by [\d.]+e-\d of what f32 gives$/m,
    );
    const config = readFileSync(join(cwd, "runs/run/config.yaml"), "utf8");
    expect(config).toContain("precision: mixed");
    expect(config).toContain("checkpointing: true");
  },
);
