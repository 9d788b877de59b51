/** stein model describe: what a network is made of and whether it fits, without running it. */
import { afterAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { describeModel } from "../../cli/describe.ts";
import { fitOf } from "../../cli/fit.ts";
import { layerTable } from "../../cli/layer-table.ts";
import { openNetwork } from "../../cli/network.ts";
import { openRun } from "../../cli/run.ts";
import { Engine } from "../../engine/engine.ts";
import type { Layer } from "../../models/describe.ts";
import { countParameters } from "../../models/module.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, tiny } from "./stein.ts";

afterAll(removeFolders);

const small = parseConfig(
  `
data: { name: cifar10 }
model: { name: ncsnpp, nf: 8, chMult: [1, 2], numResBlocks: 2, attnResolutions: [16], dropout: 0.1 }
sde: { name: ve }
training: { steps: 1, batchSize: 4 }
`,
  "test",
);

describe("a description", () => {
  const description = describeModel(engine, small);
  const { layers } = description;

  const sum = (layer: Layer, of: (layer: Layer) => number): number =>
    layer.layers.length === 0 ? of(layer) : layer.layers.reduce((total, part) => total + sum(part, of), 0);

  test("counts every parameter once, as the network that is built does", () => {
    const network = openNetwork(engine, small, { channels: 3, height: 32 });
    expect(description.parameters).toBe(countParameters(network));
    expect(sum(layers, ({ parameters }) => parameters)).toBe(description.parameters);
    network.dispose();
  });

  test("of a batch that no array holds is refused", () => {
    expect(() => describeModel(engine, small, 1e9)).toThrow(
      "model describe: got --batch 1000000000, images of ",
    );
  });

  test("of a batch in parts is that of a part, with one more set of gradients", () => {
    const { training } = small;
    const described = (batchSize: number, accumulate: number) =>
      describeModel(engine, { ...small, training: { ...training, batchSize, accumulate } } as typeof small);
    const [part, inParts] = [described(4, 1), described(32, 8)];
    expect(inParts.batch).toEqual(part.batch);
    expect(inParts.memory.saved).toBe(part.memory.saved);
    expect(inParts.memory.gradients).toBe(2 * part.memory.gradients + 4); // and the loss
    expect(inParts.memory.peak - part.memory.peak).toBe(part.memory.gradients + 4);
  });

  test("names modules officially and knows what each gives", () => {
    const [fourier, first] = layers.layers;
    expect(fourier).toMatchObject({
      name: "all_modules.0",
      kind: "GaussianFourierProjection",
      output: [4, 16],
    });
    expect(first).toMatchObject({
      name: "all_modules.1",
      kind: "Linear",
      output: [4, 32],
      parameters: 16 * 32 + 32,
    });
    expect(layers.layers.at(-1)).toMatchObject({ kind: "Conv2d", output: [4, 3, 32, 32] });
    const block = layers.layers.find(({ kind }) => kind === "ResnetBlockBigGAN")!;
    expect(block.layers.map(({ name }) => name)).toEqual([
      "GroupNorm_0",
      "Conv_0",
      "Dense_0",
      "GroupNorm_1",
      "Dropout_0",
      "Conv_1",
    ]);
  });

  test("counts operations by image, twice for a multiply-add", () => {
    const convolutions = layers.layers.filter(({ kind }) => kind === "Conv2d");
    const { flops, output } = convolutions.at(-1)!;
    const [n, c, h, w] = output as [number, number, number, number];
    expect(flops).toBe(2 * n * c * h * w * 8 * 9);
    const one = describeModel(engine, small, 1).flops.forward;
    expect(description.flops.forward / one).toBeCloseTo(4, 6);
    expect(description.flops.step / description.flops.forward).toBeGreaterThan(2.9); // the backward pass is twice the forward one
    expect(description.flops.step / description.flops.forward).toBeLessThan(3.5);
  });

  test("tells what a step needs: the fixed part, and activations in proportion to the batch", () => {
    const { memory, parameters } = description;
    const bytes = 4 * parameters;
    expect(memory).toMatchObject({ weights: bytes, gradients: bytes, optimizer: 2 * bytes, ema: bytes });
    const twice = describeModel(engine, small, 8).memory;
    expect(twice.saved / memory.saved).toBeGreaterThan(1.8);
    expect(twice.saved / memory.saved).toBeLessThan(2.1);
    expect(twice.peak).toBeGreaterThan(memory.peak);
  });
});

describe("a loss that differentiates the score", () => {
  const configured = (training: Record<string, unknown>) =>
    parseConfig(tiny({ data: { size: 8 }, training: { batchSize: 4, ...training } }), "test");
  const described = (training: Record<string, unknown>) => describeModel(engine, configured(training));

  test("is walked through itself: what is told is what a run's step takes", () => {
    for (const [loss, checkpointing] of [
      ["ssm-vr", false],
      ["ssm", false],
      ["ssm-vr", true],
    ] as const) {
      const training = { loss, checkpointing };
      const told = described(training);
      expect(told.loss).toBe(loss);
      const run = openRun(engine, configured(training), "unused");
      const taken = run.trainer.memory();
      run.trainer.dispose();
      run.network.dispose();
      expect(told.memory.saved).toBe(taken.saved);
      expect(Math.abs(told.memory.peak / taken.peak - 1)).toBeLessThan(0.02);
    }
  });

  test("needs more than a denoising one, the more the more vectors it looks along", () => {
    const [denoising, one, two] = [{}, { loss: "ssm-vr" }, { loss: "ssm-vr", particles: 2 }].map(described);
    expect(denoising!.loss).toBe("dsm");
    expect(one!.flops.step).toBeGreaterThan(1.8 * denoising!.flops.step);
    expect(two!.flops.step).toBeGreaterThan(1.3 * one!.flops.step);
    expect(one!.memory.saved).toBeGreaterThan(1.8 * denoising!.memory.saved);
    expect(two!.memory.saved).toBeGreaterThan(one!.memory.saved);
  });
});

describe("the table", () => {
  const { layers } = describeModel(engine, small);

  test("has a line for each run of neighbours that give one shape", () => {
    expect(layerTable(layers, { batch: 4 }).map((line) => line.replace(/ +\S+$/, ""))).toMatchInlineSnapshot(`
      [
        "layer              kind                              output        parameters  GFLOP an",
        "all_modules.0      GaussianFourierProjection         [4,16]                 0",
        "all_modules.1-2    2 Linear                          [4,32]             1,600",
        "all_modules.3-5    Conv2d, 2 ResnetBlockBigGAN       [4,8,32,32]        3,152",
        "all_modules.6-7    ResnetBlockBigGAN, Downsample     [4,8,16,16]        1,760",
        "all_modules.8-18   7 ResnetBlockBigGAN, 4 AttnBlock  [4,16,16,16]      47,376",
        "all_modules.19     ResnetBlockBigGAN                 [4,16,32,32]       5,504",
        "all_modules.20-23  3 ResnetBlockBigGAN, GroupNorm    [4,8,32,32]        7,248",
        "all_modules.24     Conv2d                            [4,3,32,32]          219",
      ]
    `);
  });

  test("with full has a line for every module", () => {
    const count = (layer: Layer): number => layer.layers.reduce((total, part) => total + 1 + count(part), 0);
    const lines = layerTable(layers, { batch: 4, full: true });
    expect(lines.length).toBe(1 + count(layers));
    expect(lines.filter((line) => line.startsWith("  Conv_0 ")).length).toBeGreaterThan(3);
  });
});

describe("an adapter", () => {
  test("that is large enough fits", () => {
    const fit = fitOf(engine, small, describeModel(engine, small));
    expect(fit).toMatchObject({ fits: true, largestBatch: 4, maxBinding: engine.maxBinding });
  });

  test("with little memory is told the largest batch", async () => {
    const three = describeModel(engine, small, 3);
    const little = await Engine.create({ quiet: true, memoryBudget: three.memory.peak });
    const fit = fitOf(little, small, describeModel(little, small));
    expect(fit).toMatchObject({ fits: false, budget: three.memory.peak, largestBatch: 3 });
  });

  test("that binds little is told so", async () => {
    const maps = 4 * 8 * 32 * 32; // bytes of an image's after the first convolution, whichever way computes it
    const limits = { maxStorageBufferBindingSize: maps - 4 };
    const little = await Engine.create({ quiet: true, limits });
    expect(fitOf(little, small, describeModel(little, small))).toMatchObject({
      fits: false,
      largestBatch: 0,
    });
  });

  test("that binds no transformed values is described with the convolutions that it runs", async () => {
    const one = describeModel(engine, small, 1);
    const limits = { maxStorageBufferBindingSize: one.largestBinding - 4 };
    const less = await Engine.create({ quiet: true, limits });
    const { largestBinding, flops } = describeModel(less, small, 1);
    expect(largestBinding < one.largestBinding).toBe(engine.hardware.kind === "cpu"); // where Winograd's way was taken
    expect(flops).toEqual(one.flops);
    less.destroy();
  });
});

describe("stein model describe", () => {
  const cwd = newFolder({ "tiny.yaml": tiny() });

  test("prints the layers, the totals and the verdict", async () => {
    const { code, stdout } = await stein(["model", "describe", "tiny.yaml", "--batch", "2"], { cwd });
    expect(code).toBe(0);
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^layer +kind +output +parameters +GFLOP an image$/);
    expect(lines[0]).toMatch(/^begin_conv +Conv2d +\[2,8,8,8\] +80 +0\.000$/);
    const rows = new Map(
      lines.slice(lines.indexOf("") + 1).map((line) => [line.slice(0, 14).trim(), line.slice(15)]),
    );
    expect([...rows.keys()]).toEqual([
      "network",
      "parameters",
      "forward pass",
      "step of 2",
      "weights",
      "gradients",
      "optimizer",
      "average",
      "activations",
      "peak",
      "this adapter",
    ]);
    expect(rows.get("step of 2")).toMatch(/ GFLOP, forward and backward, of a denoising loss$/);
    expect(rows.get("network")).toBe("NcsnSmall, predicts the score of 1x8x8 images");
    expect(rows.get("this adapter")).toMatch(
      /^fits: memory [\d.]+ MiB .*, largest binding [\d.]+ MiB of [\d.]+ MiB$/,
    );
  });

  test("--json holds the same for machines", async () => {
    const { code, stdout } = await stein(["model", "describe", "tiny.yaml", "--json"], { cwd });
    expect(code).toBe(0);
    const { config, batch, parameters, adapter, layers } = JSON.parse(stdout);
    expect({ config, batch }).toEqual({ config: "tiny.yaml", batch: [4, 1, 8, 8] });
    expect(adapter).toMatchObject({ fits: true, largestBatch: 4 });
    expect(layers).toMatchObject({ name: "NcsnSmall", parameters });
  });
});
