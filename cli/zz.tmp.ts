import { Engine } from "../engine/engine.ts";
import { readdirSync } from "node:fs";
import { readConfig, parseConfig } from "./config.ts";
import { describeModel } from "./describe.ts";
const e = await Engine.create({quiet:true} as any);
const gpu = process.argv[2] === "gpu";
if (gpu) Object.assign(e, { hardware: { ...e.hardware, kind: "gpu" } });
for (const f of (readdirSync("configs",{recursive:true}) as string[]).filter(f=>f.endsWith(".yaml")).sort()) {
  const t=performance.now();
  const c = readConfig("configs/"+f);
  const {layers, memory, ...d} = describeModel(e, c, 1);
  const full = describeModel(e, c);
  console.log(f.padEnd(46), d.network.padEnd(14), d.predicts, String(d.parameters).padStart(12), (d.flops.forward/1e9).toFixed(4), "saved/img", (memory.saved/2**20).toFixed(2), "batch", full.batch[0], "peak GiB", (full.memory.peak/2**30).toFixed(2), "bind", (full.largestBinding/2**20).toFixed(1), (performance.now()-t).toFixed(0), "ms");
}
e.destroy();
