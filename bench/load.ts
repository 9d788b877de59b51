import { cpus, loadavg } from "node:os";

/** How busy the machine was with other things meanwhile: what tells a noisy run from a quiet one. */
export class LoadWatch {
  readonly #before = loadavg()[0]!;
  readonly #machine = busyMilliseconds();
  readonly #own = process.cpuUsage();
  readonly #start = performance.now();

  /** Load averages over a minute before and now, and the share of all cores that other processes used, 0 to 1. */
  report(): { before: number; after: number; others: number; cores: number } {
    const { user, system } = process.cpuUsage(this.#own);
    const cores = cpus().length;
    const others = busyMilliseconds() - this.#machine - (user + system) / 1000;
    const elapsed = performance.now() - this.#start;
    return {
      before: this.#before,
      after: loadavg()[0]!,
      others: Math.max(0, others / elapsed / cores),
      cores,
    };
  }
}

const busyMilliseconds = (): number =>
  cpus().reduce((total, { times: { user, nice, sys, irq } }) => total + user + nice + sys + irq, 0);
