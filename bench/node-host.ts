import { cpus, loadavg } from "node:os";
import { version } from "../cli/version.ts";
import type { Host, Load } from "./host.ts";
import { threadsTime } from "./processor.ts";

/** Node reads processor time and load from the system. */
export const nodeHost = (): Host => ({
  stein: version(),
  runtime: `Node ${process.version}`,
  platform: `${process.platform} ${process.arch}`,
  cores: cpus().length,
  threadsTime,
  watchLoad,
});

function watchLoad(): () => Load {
  const before = loadavg()[0]!;
  const machine = busyMilliseconds();
  const own = process.cpuUsage();
  const start = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(own);
    const cores = cpus().length;
    const others = busyMilliseconds() - machine - (user + system) / 1000;
    const elapsed = performance.now() - start;
    return { before, after: loadavg()[0]!, others: Math.max(0, others / elapsed / cores), cores };
  };
}

const busyMilliseconds = (): number =>
  cpus().reduce((total, { times: { user, nice, sys, irq } }) => total + user + nice + sys + irq, 0);
