import { mkdirSync, rmdirSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { type Holder, holdLock } from "../engine/platform/file-lock.ts";
import { files } from "./run-folder.ts";
import { requireWritable } from "./writable.ts";

/** What a process does in a folder that no other may meanwhile. */
interface Work {
  readonly does: string;
  /** The file that tells others. */
  readonly lock: string;
  /** The option that names the folder. */
  readonly option: string;
}

const TRAINING: Work = { does: "trains in", lock: files.lock, option: "--out" };
export const DRAWING: Work = { does: "draws in", lock: files.drawingLock, option: "--out" };
export const FETCHING: Work = { does: "fetches into", lock: ".fetching.lock", option: "--to" };

/**
 * Keeps other processes from doing the same work, training unless told, in a folder until it is disposed of. Makes the
 * folder, and takes it away again where nothing came into it. That of a process that was killed is taken over. Throws
 * UsageError where another does it there, for a file in the folder's place, and where nothing can be written.
 */
export async function lockRun(who: string, folder: string, work = TRAINING): Promise<Disposable> {
  const path = join(folder, work.lock);
  let made: string | undefined;
  const removeEmpty = () => made !== undefined && removeEmptyFolders(folder, made);
  try {
    requireWritable(who, folder, work.option);
    made = mkdirSync(folder, { recursive: true });
    const lock = await holdLock(path);
    if (lock.heldBy) throw inUse(who, folder, path, { ...lock.heldBy, ...work });
    return {
      [Symbol.dispose]() {
        lock[Symbol.dispose]();
        removeEmpty();
      },
    };
  } catch (cause) {
    removeEmpty();
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(
      `write: cannot write ${path} (${(cause as Error).message}), expected a writable place; ` +
        "check the folder and its space",
      { cause },
    );
  }
}

function inUse(
  who: string,
  folder: string,
  path: string,
  { pid, host, does, option }: Holder & Work,
): UsageError {
  const here = host === hostname();
  return new UsageError(
    `${who}: process ${pid}${here ? "" : ` on ${host}`} ${does} ${folder} already, expected a folder to itself; ` +
      (here
        ? `wait for it, stop it (kill ${pid}), or give another ${option}; if ${pid} is something else, remove ${path}`
        : `wait for it, stop it there, or give another ${option}; if it died, try again in two minutes`),
  );
}

/** From a folder up to the first that was made for it, as long as they are empty. */
function removeEmptyFolders(folder: string, made: string): void {
  try {
    for (let at = resolve(folder); at.length >= resolve(made).length; at = dirname(at)) rmdirSync(at);
  } catch {
    // Something is in there.
  }
}
