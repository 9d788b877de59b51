import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { whileBusy } from "../engine/platform/busy.ts";
import { rename, syncFolders } from "../engine/platform/replace-file.ts";
import { readSafetensorsMetadata } from "../engine/safetensors.ts";
import { isFolder } from "./is-folder.ts";
import { writeFileAtomic } from "./pictures/write.ts";
import { readWhole } from "./whole-file.ts";

/** The newest checkpoint of a run; those before it lie in OLDER under their steps. */
export const NEWEST = "checkpoint.safetensors";
export const OLDER = "checkpoints";

export interface Kept {
  /** How many of the last checkpoints stay, the newest among them. */
  readonly keepLast: number;
  /** Checkpoints of these steps' multiples stay, too. */
  readonly keepEvery?: number | undefined;
}

interface OlderCheckpoint {
  readonly step: number;
  readonly path: string;
}

/** A step as part of a file's name: names sort as the steps do. */
export const stepName = (step: number): string => String(step).padStart(8, "0");

/** The checkpoints before the newest, latest first. */
export function olderCheckpoints(folder: string): OlderCheckpoint[] {
  const inside = join(folder, OLDER);
  if (!isFolder(inside)) return [];
  return readdirSync(inside)
    .flatMap((name) => {
      const [, digits] = /^(\d+)\.safetensors$/.exec(name) ?? [];
      return digits === undefined ? [] : [{ step: Number(digits), path: join(inside, name) }];
    })
    .sort((a, b) => b.step - a.step);
}

/**
 * Makes `bytes` the newest checkpoint, of `step` steps, and lets go of what need not be kept. Whenever the process dies,
 * there is a whole newest checkpoint, unless there was none: the older file gets a second name first, then the new one
 * takes its place at once.
 */
export function writeCheckpoint(
  folder: string,
  bytes: Uint8Array,
  step: number,
  { keepLast, keepEvery }: Kept,
): void {
  const newest = join(folder, NEWEST);
  const before = existsSync(newest) ? stepOf(newest) : undefined;
  const steps = new Set(olderCheckpoints(folder).map((one) => one.step));
  if (before !== undefined) steps.add(before);
  const earlier = [...steps].filter((s) => s < step).sort((a, b) => b - a); // later ones are of a past given up
  const stays = (s: number) => earlier.indexOf(s) < keepLast - 1 || (keepEvery && s % keepEvery === 0);
  const kept = new Set(earlier.filter(stays));
  if (before !== undefined && kept.has(before)) name(newest, join(folder, OLDER, fileOf(before)));
  writeFileAtomic(newest, bytes);
  for (const one of olderCheckpoints(folder)) if (!kept.has(one.step)) remove(one.path);
}

/**
 * Makes the last checkpoint of fewer than `step` steps the newest. Returns how many steps it has; undefined when there
 * is none, and then nothing is changed.
 */
export function rollBack(folder: string, step: number): number | undefined {
  const newest = join(folder, NEWEST);
  if (!existsSync(newest)) return undefined;
  const taken = stepOf(newest);
  if (taken < step) return taken;
  const older = olderCheckpoints(folder);
  const good = older.find((one) => one.step < step);
  if (!good) return undefined;
  rename(good.path, newest);
  for (const one of older) if (one.step >= step) remove(one.path);
  return good.step;
}

const remove = (path: string): void => whileBusy(() => rmSync(path, { force: true }));

const fileOf = (step: number): string => `${stepName(step)}.safetensors`;

/** Gives a file a second name, in place of a file that has it; a copy where the file system knows no second names. */
function name(path: string, second: string): void {
  const folder = dirname(second);
  const made = mkdirSync(folder, { recursive: true });
  remove(second);
  try {
    linkSync(path, second);
    syncFolders(folder, made);
  } catch {
    writeFileAtomic(second, readWhole(path));
  }
}

/** Steps that a checkpoint has taken, without reading its values. */
function stepOf(path: string): number {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const metadata = readSafetensorsMetadata((end) => {
      const bytes = new Uint8Array(Math.min(end, size));
      readSync(file, bytes, 0, bytes.length, 0);
      return bytes;
    });
    return Number(metadata.step);
  } finally {
    closeSync(file);
  }
}
