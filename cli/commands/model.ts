import type { Command } from "commander";
import { mebibytes } from "../../engine/buffers.ts";
import { Engine } from "../../engine/engine.ts";
import type { MatchingName } from "../../train/objectives/matching.ts";
import { readConfig } from "../config.ts";
import { type Description, describeModel } from "../describe.ts";
import { type Fit, fitOf } from "../fit.ts";
import { layerTable } from "../layer-table.ts";
import { applyMemoryOptions, type MemoryOptions, withMemoryOptions } from "../memory-options.ts";
import { wholeFrom } from "../options.ts";
import { type SetOption, withSetOption } from "../set-option.ts";

interface DescribeOptions extends MemoryOptions, SetOption {
  batch?: number;
  full?: boolean;
  json?: boolean;
}

export function modelCommand(program: Command): void {
  const model = program.command("model").description("describe the network of a configuration");
  withSetOption(withMemoryOptions(model.command("describe")))
    .description("layers, parameters, operations, and what a training step needs of this adapter")
    .argument("<config>", "configuration, such as configs/ve/cifar10_ncsnpp_continuous.yaml")
    .option("--batch <n>", "images of a step; as configured unless given", wholeFrom(1, "--batch"))
    .option("--full", "every module, none folded")
    .option("--json", "as JSON")
    .addHelpText("after", "\nNothing is computed: the network is walked through without the device.")
    .action(async (path: string, { batch, full, json, ...rest }: DescribeOptions) => {
      const config = readConfig(path, rest.set);
      applyMemoryOptions(config, rest);
      const engine = await Engine.create();
      try {
        const description = describeModel(engine, config, batch);
        const fit = fitOf(engine, config, description);
        if (json) console.log(JSON.stringify({ config: path, ...description, adapter: fit }, null, 2));
        else print(description, fit, full);
      } finally {
        engine.destroy();
      }
    });
}

function print(description: Description, fit: Fit, full: boolean | undefined): void {
  const { network, predicts, loss, parameters, batch, flops, memory, layers } = description;
  const [count, ...image] = batch;
  const what = { score: "the score", eps: "the noise" }[predicts];
  for (const line of layerTable(layers, { batch: count, full })) console.log(line);
  const rows: [string, string][] = [
    ["network", `${network}, predicts ${what} of ${image.join("x")} images`],
    ["parameters", parameters.toLocaleString("en")],
    ["forward pass", `${operations(flops.forward / count)} an image, a multiply-add counted as two`],
    [`step of ${count}`, `${operations(flops.step)}, forward and backward, of ${losses[loss]}`],
    ["weights", mebibytes(memory.weights)],
    ["gradients", mebibytes(memory.gradients)],
    ["optimizer", mebibytes(memory.optimizer)],
    ["average", mebibytes(memory.ema)],
    ["activations", `${mebibytes(memory.saved)} kept for the backward pass`],
    ["peak", mebibytes(memory.peak)],
    ["this adapter", verdict(description, fit)],
  ];
  console.log();
  for (const [name, value] of rows) console.log(`${name.padEnd(14)} ${value}`);
}

const losses: Record<MatchingName, string> = {
  dsm: "a denoising loss",
  hyvarinen: "the explicit loss, which differentiates twice for each value of an image",
  ssm: "the sliced loss, which differentiates twice",
  "ssm-vr": "the sliced loss with less variance, which differentiates twice",
};

function verdict(
  { memory, largestBinding }: Description,
  { fits, maxBinding, budget, largestBatch }: Fit,
): string {
  const room = Number.isFinite(budget)
    ? `${mebibytes(memory.peak)} of ${mebibytes(budget)}`
    : `${mebibytes(memory.peak)} (it does not tell how much it has)`;
  const held = `memory ${room}, largest binding ${mebibytes(largestBinding)} of ${mebibytes(maxBinding)}`;
  if (fits) return `fits: ${held}`;
  return `does not fit: ${held}; ${largestBatch > 0 ? `a batch of ${largestBatch} fits` : "no batch does"}`;
}

const operations = (flops: number): string =>
  flops >= 1e12 ? `${(flops / 1e12).toFixed(2)} TFLOP` : `${(flops / 1e9).toFixed(2)} GFLOP`;
