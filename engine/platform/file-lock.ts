import { randomUUID } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { whileBusy } from "./busy.ts";
import { textOf } from "./read-text.ts";

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
    whileBusy(() => rmSync(path, { force: true }));
  }
}

/** Who holds a lock, as its file says. */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When its process began, where the system tells: a later process may have its number. */
  readonly began?: string;
}

/** Disposed of, the lock is free again. */
type Hold = Disposable & { readonly heldBy?: never };

/** Milliseconds between two signs of life, and after how long without one a holder on another machine is dead. */
const SIGN = 15_000;
const LOST = 120_000;

/** By path, what this process holds. */
const ours = new Set<string>();

/**
 * Takes a lock for as long as this process likes, or says who holds it. That of a process that is gone is taken over:
 * on this machine at once, on another once it gave no sign of life for two minutes. Throws what node:fs throws.
 */
export async function holdLock(file: string): Promise<Hold | { readonly heldBy: Holder }> {
  const path = resolve(file);
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), began: beganOf(process.pid) });
  const heldBy = await locked(`${path}.guard`, () => {
    const holder = holderOf(path);
    if (holder && isAlive(holder, path)) return holder;
    whileBusy(() => rmSync(path, { force: true }));
    create(path, mine);
    ours.add(path);
    return undefined;
  });
  if (heldBy) return { heldBy };
  const sign = setInterval(() => touch(path), SIGN).unref();
  let over = false;
  const free = () => {
    if (over) return;
    over = true;
    clearInterval(sign);
    process.off("exit", free);
    ours.delete(path);
    if (textOf(path) === mine) whileBusy(() => rmSync(path, { force: true }));
  };
  process.on("exit", free);
  return { [Symbol.dispose]: free };
}

/** undefined where there is no lock, or one that its holder did not live to write. */
function holderOf(path: string): Holder | undefined {
  try {
    const holder = JSON.parse(textOf(path) ?? "") as Holder;
    return Number.isSafeInteger(holder.pid) && typeof holder.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, host, began }: Holder, path: string): boolean {
  if (host !== hostname()) return ageOf(path) < LOST;
  if (pid === process.pid) return ours.has(path); // in a container every run may have one number
  if (ageOf(path) > 1000 * uptime()) return false; // of before the machine began
  return exists(pid) && beganOf(pid) === began;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"; // another user's
  }
}

/** When a process began, in ticks of Linux's clock; undefined on other systems, and of one that only waits to be reaped. */
function beganOf(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? []; // after its name, whatever is in that
  return state === "Z" ? undefined : rest[18];
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Somebody took it away; the run is worth more.
  }
}

/** Throws where the folder cannot be written to. */
function taken(path: string): boolean {
  try {
    create(path, "");
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  }
}

/** Throws EEXIST where it is there already. */
function create(path: string, text: string): void {
  const file = whileBusy(() => openSync(path, "wx"));
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
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

/**
 * Takes a stale lock away. It is moved aside first: of several that find it stale at once only one can, and who comes so
 * late as to move the lock of that one gives it back.
 */
function clear(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (ageOf(aside) > STALE) rmSync(aside, { force: true });
    else renameSync(aside, path);
  } catch {
    // Another was first, or has it open: it is looked at once more.
  }
}
