import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { readSafetensors, writeSafetensors } from "../../engine/safetensors.ts";
import { shapeSize } from "../../engine/shapes.ts";
import { fromPyTorch, type NetworkValues, type PyTorchExport } from "../../models/convert.ts";
import { countParameters, type State } from "../../models/index.ts";
import { packValues, samplingState } from "../../train/checkpoint.ts";
import { called } from "../called.ts";
import { readConfig, writeConfig } from "../config.ts";
import { imageOf, openNetwork } from "../network.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { files, openCheckpoint } from "../run.ts";
import { readWhole } from "../whole-file.ts";
import { requireWritableFile } from "../writable.ts";

interface ConvertOptions {
  out: string;
  config?: string;
  ema?: boolean;
  raw?: boolean;
  toPytorch?: boolean;
}

export function convertCommand(program: Command): void {
  program
    .command("convert")
    .description("turn the weights of an official PyTorch network into a checkpoint, or back")
    .argument("<file>", "what scripts/export_pytorch.py wrote; with --to-pytorch, a run or a checkpoint")
    .requiredOption("-o, --out <file>", "the safetensors file to write")
    .option("--config <file>", "configuration of the network, such as configs/ncsn/cifar10.yaml")
    .addOption(new Option("--ema", "only the running averages, in place of the weights").conflicts("raw"))
    .addOption(new Option("--raw", "only the newest weights, without their running averages"))
    .option("--to-pytorch", "write what load_state_dict takes: the averages where there are any")
    .addHelpText("after", "\ndocs/convert.md goes through both ways.")
    .action(async (path: string, options: ConvertOptions) => {
      requireWritableFile("convert", options.out);
      requireApart(path, options.out);
      await (options.toPytorch ? toPyTorch(path, options) : toCheckpoint(path, options));
    });
}

/** Throws UsageError when the result would take the place of what it is made from. */
function requireApart(path: string, out: string): void {
  if ([path, join(path, files.checkpoint)].some((source) => resolve(source) === resolve(out)))
    throw new UsageError(`convert: got --out ${out}, which is what it reads; give another --out`);
}

async function toCheckpoint(
  path: string,
  { config: configPath, out, ...which }: ConvertOptions,
): Promise<void> {
  if (configPath === undefined)
    throw new UsageError(
      "convert: got no --config, expected the configuration of the network, such as configs/ncsn/cifar10.yaml",
    );
  const config = readConfig(configPath);
  const exported = readExport(path);
  const image = imageOf(config);
  const engine = await Engine.create();
  try {
    const network = openNetwork(engine, config, image);
    const { values, what } = select(fromPyTorch(exported, network, path), which, path);
    const shape = [image.channels, image.height, image.height] as const;
    writeFileAtomic(out, packValues({ ...values, image: shape, config: writeConfig(config) }));
    console.log(
      `wrote ${out}: ${config.model.name}, ${values.network.size} tensors, ` +
        `${thousands(countParameters(network))} parameters, ${what}; draw images with: ${called()} sample ${out}`,
    );
  } finally {
    engine.destroy();
  }
}

async function toPyTorch(path: string, { config, out, raw, ema }: ConvertOptions): Promise<void> {
  if (config !== undefined)
    throw new UsageError(
      `convert: got --config ${config} with --to-pytorch, expected none: a checkpoint holds its own`,
    );
  const checkpoint = openCheckpoint(path);
  if (ema) requireAverages(checkpoint, path);
  const averaged = !raw && checkpoint.ema.size > 0;
  const values = averaged ? samplingState(checkpoint) : checkpoint.network;
  writeFileAtomic(out, writeSafetensors(values, { format: "pt" })); // as PyTorch's own writer marks its files
  console.log(
    `wrote ${out}: ${values.size} tensors, ${thousands(countNumbers(values))} numbers, ` +
      `${averaged ? "the running averages" : "the newest weights"}; ` +
      `load with: load_state_dict(safetensors.torch.load_file("${out}"))`,
  );
}

/** What of the values a checkpoint is to hold, and the words for it. Throws UsageError for averages that are not there. */
function select(
  values: NetworkValues,
  { ema, raw }: Pick<ConvertOptions, "ema" | "raw">,
  path: string,
): { values: NetworkValues; what: string } {
  if (ema) {
    requireAverages(values, path);
    return { values: { network: samplingState(values), ema: new Map() }, what: "the running averages" };
  }
  if (!raw && values.ema.size > 0) return { values, what: "the newest weights and their running averages" };
  return { values: { ...values, ema: new Map() }, what: "the newest weights" };
}

function requireAverages({ ema }: NetworkValues, path: string): void {
  if (ema.size === 0)
    throw new UsageError(`convert: ${path} holds no running averages; leave --ema out for its weights`);
}

/** Throws UsageError for a file that cannot be read, is not safetensors, or is a checkpoint already. */
function readExport(path: string): PyTorchExport {
  let bytes: Uint8Array;
  try {
    bytes = readWhole(path);
  } catch (cause) {
    throw new UsageError(
      `convert: cannot read ${path} (${(cause as NodeJS.ErrnoException).code}); give the file that scripts/export_pytorch.py wrote`,
    );
  }
  let file: ReturnType<typeof readSafetensors>;
  try {
    file = readSafetensors(bytes);
  } catch (cause) {
    throw new UsageError(
      isPyTorch(bytes)
        ? `convert: ${path} is a file of PyTorch's; export it first: python scripts/export_pytorch.py ${path} OUT.safetensors`
        : `convert: ${path} cannot be read: ${(cause as Error).message}`,
    );
  }
  if (file.metadata.format?.startsWith("stein"))
    throw new UsageError(
      `convert: ${path} is a checkpoint of stein's already; add --to-pytorch to write it for PyTorch`,
    );
  return file.tensors;
}

/** torch.save writes a zip archive, or wrote a pickle before version 1.6. */
const isPyTorch = ([first, second]: Uint8Array): boolean =>
  (first === 0x50 && second === 0x4b) || (first === 0x80 && second === 0x02);

function countNumbers(values: State): number {
  let count = 0;
  for (const { shape } of values.values()) count += shapeSize(shape);
  return count;
}

const thousands = (n: number): string => n.toLocaleString("en");
