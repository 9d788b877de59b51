import { cpus } from "node:os";
import { version } from "../engine/version.ts";
import type { Host } from "./host.ts";
import { watchLoad } from "./load.ts";
import { processTime, threadsTime } from "./processor.ts";

/** Node reads processor time and load from the system. */
export const nodeHost = (): Host => ({
  stein: version,
  runtime: `Node ${process.version}`,
  platform: `${process.platform} ${process.arch}`,
  cores: cpus().length,
  threadsTime,
  watchLoad() {
    const loadSince = watchLoad(processTime());
    return () => loadSince(processTime());
  },
});
