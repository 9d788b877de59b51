import { expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { mean, square, sum } from "../../engine/ops/index.ts";
import { array64 } from "../../engine/oracle/array.ts";
import { dsmLossPerSample } from "../../engine/oracle/updates.ts";
import { annealed, Batches, Evaluation, type EvaluationOptions, type Objective } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { losses, type SmallRun, smallRun } from "./small-run.ts";

const inOrder = (_: number, __: number, count: number) => Uint32Array.from({ length: count }, (_, i) => i);

/** Measures on 6 images in batches of 3. */
function evaluationOf({ network, sigmas }: SmallRun, changes: Partial<EvaluationOptions> = {}): Evaluation {
  const batches = new Batches({ count: 6, size: 3, seed: 77, order: inOrder });
  return new Evaluation(engine, {
    network,
    objective: () => annealed(engine, { sigmas, batches }),
    shape: [3, 1, 8, 8],
    batches,
    count: 2,
    fill: (indices, out) => {
      for (const [k, i] of indices.entries()) out.fill(i / 6, 64 * k, 64 * (k + 1));
    },
    seed: 77,
    ...changes,
  });
}

test("is the mean loss over the batches, by the float64 mathematics of what the network gave", async () => {
  using run = smallRun(engine);
  const seen: { score: Float64Array; z: Float64Array; sigma: Float64Array }[] = [];
  const pending: Promise<unknown>[] = [];
  engine.observer = ({ spec, inputs }) => {
    if (spec.name !== "dsm_loss") return;
    const copies = inputs.map((t) => t!.alias());
    pending.push(
      engine.readAll(copies).then(([score, z, sigma]) => {
        seen.push({
          score: Float64Array.from(score!),
          z: Float64Array.from(z!),
          sigma: Float64Array.from(sigma!),
        });
        for (const t of copies) t.dispose();
      }),
    );
  };
  const loss = await evaluationOf(run).loss();
  engine.observer = undefined;
  await Promise.all(pending);
  expect(seen.length).toBe(2);
  const each = seen.flatMap(({ score, z, sigma }) => [
    ...dsmLossPerSample(array64([3, 1, 8, 8], score), array64([3, 1, 8, 8], z), array64([3], sigma), {
      annealPower: 2,
    }).data,
  ]);
  const mean = each.reduce((a, b) => a + b) / 6;
  expect(Math.abs(loss / mean - 1)).toBeLessThan(1e-6);
});

test("is the same every time, changes with the weights and leaves neither memory nor traces", async () => {
  using run = smallRun(engine);
  using alone = smallRun(engine);
  const evaluation = evaluationOf(run);
  const first = await evaluation.loss();
  const { live } = engine.memory();
  expect(await evaluation.loss()).toBe(first);
  expect(engine.memory().live).toBe(live);
  expect(await evaluationOf(run, { seed: 78 }).loss()).not.toBe(first);

  const found = [await losses(run, 2), [await evaluation.loss()], await losses(run, 3)];
  expect(found[1]![0]).not.toBe(first);
  expect([...found[0]!, ...found[2]!]).toEqual(await losses(alone, 5));
});

test("with the running average is that of a network that holds it, and the weights come back to the bit", async () => {
  using run = smallRun(engine);
  using other = smallRun(engine);
  await losses(run, 4);
  const before = await run.network.state();
  const loss = await run.trainer.withAverage(() => evaluationOf(run).loss());
  expect(await evaluationOf(run).loss()).not.toBe(loss);
  for (const [name, { data }] of await run.network.state())
    expect(data, name).toEqual(before.get(name)!.data);

  for (const [name, average] of run.trainer.optimizer.ema!.shadow)
    engine.copy(average, other.network.parameters().get(name)!);
  expect(await evaluationOf(other).loss()).toBe(loss);
});

test("weights come back when what wanted the average fails", async () => {
  using run = smallRun(engine);
  await losses(run, 3);
  const before = await run.network.state();
  await expect(run.trainer.withAverage(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  for (const [name, { data }] of await run.network.state())
    expect(data, name).toEqual(before.get(name)!.data);
});

test("a loss made of derivatives keeps the graph it needs, and only as long", async () => {
  using run = smallRun(engine);
  const loss: Objective["loss"] = (network, x) => {
    const leaf = engine.track(engine.asVariable(x.detach()));
    const score = network(leaf, engine.zeros([x.dim(0)], "i32"));
    const [slope] = grad(sum(score), [leaf], { createGraph: true });
    return mean(square(slope!));
  };
  const measured = (differentiates: boolean) =>
    evaluationOf(run, { objective: () => ({ loss, differentiates }) }).loss();
  const found = await measured(true);
  const { live } = engine.memory();
  expect(found).toBeGreaterThan(0);
  expect(await measured(true)).toBe(found);
  expect(engine.memory().live).toBe(live);
  await expect(measured(false)).rejects.toThrow(/^grad: y has no graph/);
});

test("batches in parts are refused", () => {
  using run = smallRun(engine);
  const batches = new Batches({ count: 6, size: 4, parts: 2, seed: 1, order: inOrder });
  expect(() => evaluationOf(run, { batches })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Evaluation: got batches of 2 parts, expected whole ones; make them smaller]`,
  );
});

test("a shape of other images than a batch has is refused, and no batch at all", () => {
  using run = smallRun(engine);
  expect(() => evaluationOf(run, { shape: [4, 1, 8, 8] })).toThrow(
    "Evaluation: got shape [4,1,8,8] and batches of 3 images, expected as many images in both",
  );
  expect(() => evaluationOf(run, { count: 0 })).toThrow(
    "Evaluation: got count 0, expected a whole number of batches from 1",
  );
  const batches = new Batches({ count: 6, size: 3, seed: 1, order: inOrder });
  expect(() => smallRun(engine, { batches })).toThrow("train: got shape [4,1,8,8] and batches of 3 images");
});
