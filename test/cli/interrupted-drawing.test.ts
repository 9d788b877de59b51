/** A signal while a training draws its images: the drawing ends at its next step, and the run goes on from there exactly. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { Interrupted } from "../../cli/interrupt.ts";
import { openCheckpoint, openRun } from "../../cli/run.ts";
import { Watch } from "../../cli/sampling/watch.ts";
import { train } from "../../cli/training-loop.ts";
import { restore } from "../../train/checkpoint.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, tiny } from "./stein.ts";

afterAll(removeFolders);
afterEach(() => vi.restoreAllMocks());

const config = parseConfig(
  tiny({ training: { steps: 4, sampleEvery: 2, sampleCount: 2, checkpointEvery: 3 } }),
  "test",
);
/** Of a drawing: three noise scales, three steps each. */
const STEPS = 9;

/** Trains in a folder, from its checkpoint where there is one. A signal comes at the `signalAt`-th step of all drawings. */
async function trained(folder: string, signalAt = Infinity) {
  vi.spyOn(console, "log").mockImplementation(() => {});
  vi.spyOn(console, "error").mockImplementation(() => {});
  const step = Watch.prototype.step;
  let steps = 0;
  vi.spyOn(Watch.prototype, "step").mockImplementation(function (this: Watch, moment) {
    if (++steps === signalAt) process.emit("SIGINT", "SIGINT");
    return step.call(this, moment);
  });
  const run = openRun(engine, config, folder);
  try {
    if (existsSync(join(folder, "checkpoint.safetensors")))
      restore(openCheckpoint(folder), run.network, run.trainer);
    const fault = await train(run).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { fault, steps };
  } finally {
    run.trainer.dispose();
    run.network.dispose();
    vi.restoreAllMocks();
  }
}

const files = ["checkpoint.safetensors", "samples/00000002.png", "samples/00000004.png"];
const present = (folder: string) => files.filter((name) => existsSync(join(folder, name)));

const [whole, broken] = [newFolder(), newFolder()];

test("among its steps", async () => {
  const { fault, steps } = await trained(whole);
  expect(fault).toBe(undefined);
  expect(steps).toBe(2 * STEPS);
  expect(present(whole)).toEqual(files);

  const first = await trained(broken, 3);
  expect(first.steps).toBe(3);
  expect(first.fault).toBeInstanceOf(Interrupted);
  expect((first.fault as Interrupted).message).toBe(
    `stopped after 2 of 4 steps; go on with: stein train ${broken}/config.yaml --out ${broken} --resume`,
  );
  expect(openCheckpoint(broken).step).toBe(2);
  expect(present(broken)).toEqual(["checkpoint.safetensors"]);

  const rest = await trained(broken);
  expect(rest.fault).toBe(undefined);
  expect(rest.steps).toBe(2 * STEPS);
  for (const name of files)
    expect(readFileSync(join(broken, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
});

test("after its last step", async () => {
  const folder = newFolder();
  const { fault, steps } = await trained(folder, STEPS + 2);
  expect(steps).toBe(STEPS + 2);
  expect((fault as Interrupted).message).toBe(
    `stopped after 4 of 4 steps, before some images were drawn; draw them with: stein sample ${folder}`,
  );
  expect(openCheckpoint(folder).step).toBe(4);
  expect(present(folder)).toEqual(["checkpoint.safetensors", "samples/00000002.png"]);
});
