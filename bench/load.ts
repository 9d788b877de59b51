import { cpus, loadavg } from "node:os";
import type { Load } from "./host.ts";

/** How busy the machine was with other things meanwhile. `own`: processor time that the processes at work have had, in milliseconds. */
export function watchLoad(own: number): (own: number) => Load {
  const [start, busy, before] = [performance.now(), busyMilliseconds(), loadavg()[0]!];
  return (ownNow) => {
    const cores = cpus().length;
    const others = busyMilliseconds() - busy - (ownNow - own);
    return {
      before,
      after: loadavg()[0]!,
      others: Math.max(0, others / (performance.now() - start) / cores),
      cores,
    };
  };
}

const busyMilliseconds = (): number =>
  cpus().reduce((total, { times: { user, nice, sys, irq } }) => total + user + nice + sys + irq, 0);
