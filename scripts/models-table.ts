/** Writes the table of docs/models.md anew, from the files in configs/: npx tsx scripts/models-table.ts */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Config, readConfig } from "../cli/config.ts";
import { type Description, describeModel } from "../cli/describe.ts";
import { Engine } from "../engine/engine.ts";
import type { Hardware } from "../kernels/kernel.ts";
import { neededBytes } from "../train/memory.ts";

const file = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Every configuration of a score network that comes with the package, as its path below configs/. */
export const configNames: readonly string[] = (readdirSync(file("configs"), { recursive: true }) as string[])
  .filter((path) => path.endsWith(".yaml"))
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => !path.startsWith("classifier/"))
  .sort();

/** What all walks take for the adapter: llvmpipe. The ways of others differ by a thousandth in what they count and keep. */
const walked: Hardware = {
  kind: "cpu",
  writesOut: false,
  maxWorkgroupSize: 1024,
  maxWorkgroupStorage: 32768,
  maxBinding: 2 ** 27,
  subgroups: true,
  subgroupSize: 8,
};

/** Walks on whatever adapter as on that one. */
function describeWalked(engine: Engine, config: Config, count?: number): Description {
  const { hardware } = engine;
  Object.assign(engine, { hardware: walked });
  try {
    return describeModel(engine, config, count);
  } finally {
    Object.assign(engine, { hardware });
  }
}

/** A row for each configuration; nothing in it depends on the adapter. */
export function modelsTable(engine: Engine): string {
  const rows = configNames.map((name) => {
    const config = readConfig(file(`configs/${name}`));
    const one = describeWalked(engine, config, 1);
    const step = describeWalked(engine, config);
    return [
      name.replace(/\.yaml$/, ""),
      one.network,
      one.batch.slice(1).join("x"),
      one.parameters.toLocaleString("en"),
      (one.flops.forward / 1e9).toFixed(2),
      (step.memory.saved / step.batch[0]! / 2 ** 20).toFixed(1),
      String(step.batch[0]),
      (neededBytes(step.memory) / 2 ** 30).toFixed(2),
    ];
  });
  const head = [
    "configuration",
    "network",
    "images",
    "parameters",
    "GFLOP an image",
    "MiB kept an image",
    "batch",
    "GiB a step",
  ];
  const rule = head.map((_, column) => (column < 3 ? "---" : "---:"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const page = file("docs/models.md");

/** The page, and where in it the table stands. */
export function readPage(): { text: string; table: string } {
  const text = readFileSync(page, "utf8");
  return { text, table: /^\|.*\|$(\n^\|.*\|$)*/m.exec(text)?.[0] ?? "" };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const engine = await Engine.create({ quiet: true });
  const { text, table } = readPage();
  writeFileSync(page, text.replace(table, modelsTable(engine)));
  engine.destroy();
}
