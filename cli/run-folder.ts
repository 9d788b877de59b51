import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { NEWEST, stepName } from "./checkpoint-folder.ts";
import { isFolder } from "./is-folder.ts";
import { requireWritable } from "./writable.ts";

/** A run's folder, beside the folders of older checkpoints and of samples along the way. */
export const files = {
  config: "config.yaml",
  checkpoint: NEWEST,
  metrics: "metrics.jsonl",
  loss: "loss.svg",
  rate: "learning-rate.svg",
  report: "report.md",
  numbers: "report.json",
  accuracy: "accuracy.json",
  samples: "samples.png",
  data: "data.png",
  animation: "sampling.gif",
  denoised: "denoised.png",
  numpy: "samples.npz",
  guided: "guided.png",
  guidedNumpy: "guided.npz",
  drawing: "sampling.state.safetensors",
  lock: ".training.lock", // hidden, so that it is no part of a folder of images
  drawingLock: ".sampling.lock",
} as const;

/** The folder of samples along the way, in a run's folder: NNNNNNNN.png after so many steps. */
export const SAMPLES = "samples";

export const samplesPath = (folder: string, step: number): string =>
  join(folder, SAMPLES, `${stepName(step)}.png`);

/** Names of the pictures in the order of their steps. */
export function samplesBySteps(folder: string): string[] {
  const inside = join(folder, SAMPLES);
  if (!isFolder(inside)) return [];
  return readdirSync(inside)
    .filter((name) => /^\d+\.png$/.test(name))
    .sort();
}

/** Removes the pictures of steps that will be taken once more. */
export function removeSamplesAfter(folder: string, step: number): void {
  for (const name of samplesBySteps(folder))
    if (Number.parseInt(name, 10) > step) rmSync(join(folder, SAMPLES, name));
}

/**
 * Where results go: what was asked for, else the folder of a run, or that of a checkpoint's file. Throws UsageError as
 * `requireWritable`, before hours of work have nowhere to go.
 */
export function folderFor(who: string, path: string, out: string | undefined): string {
  const folder = out ?? (isFolder(path) ? path : dirname(path));
  requireWritable(who, folder);
  return folder;
}
