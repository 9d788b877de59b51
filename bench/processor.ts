import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/**
 * Processor time, in milliseconds, that the threads of this process but its main one have had so far: on a software
 * driver the kernels' own work, which other processes delay but do not add to. Undefined off Linux.
 */
export function threadsTime(): number | undefined {
  try {
    const tasks = readdirSync("/proc/self/task").filter((id) => Number(id) !== process.pid);
    return tasks.reduce((total, id) => total + timeOf(id), 0) / 1e6;
  } catch {
    return undefined;
  }
}

/** The same as if all cores were these threads': what kernels take of a machine that has nothing else to do. */
export function aloneTime(): number | undefined {
  const ms = threadsTime();
  return ms === undefined ? undefined : ms / cpus().length;
}

/** Processor time, in milliseconds, that all threads of this process have had so far. */
export function processTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * That of the main thread alone: what the host has to do. It moves on in steps of a few milliseconds, so measure for many.
 * Undefined off Linux.
 */
export function mainThreadTime(): number | undefined {
  const time = timeOf(String(process.pid));
  return time > 0 ? time / 1e6 : undefined;
}

/** Nanoseconds; a thread that has ended since it was listed counts as none. */
function timeOf(id: string): number {
  try {
    return Number(readFileSync(`/proc/self/task/${id}/schedstat`, "utf8").split(" ")[0]);
  } catch {
    return 0;
  }
}
