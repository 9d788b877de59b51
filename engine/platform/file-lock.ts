import { randomUUID } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds: held for a file's write alone, a lock so old is that of a process which was killed meanwhile. */
const STALE = 5000;
/** Milliseconds between two looks at a lock that another holds. */
const PAUSE = 5;

/** Runs `fn` while no other process does with this lock, a file that only its holder made. `fn` has to be short: see STALE. */
export async function locked<T>(path: string, fn: () => T): Promise<T> {
  while (!taken(path)) {
    if (ageOf(path) > STALE) clear(path);
    else await pause(PAUSE);
  }
  try {
    return fn();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Throws where the folder cannot be written to. */
function taken(path: string): boolean {
  try {
    closeSync(openSync(path, "wx"));
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  }
}

/** 0 where the lock is gone: its holder is done. */
function ageOf(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/** Takes a stale lock away. It is moved aside first: of several that find it stale at once only one can. */
function clear(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another was first
  }
  rmSync(aside, { force: true });
}
