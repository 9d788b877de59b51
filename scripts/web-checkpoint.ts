/**
 * Makes the page's checkpoint out of a run: its running averages, and beside them in JSON what they are.
 *
 *     npx stein train web/digits.yaml --out runs/web
 *     npx tsx scripts/web-checkpoint.ts runs/web
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { openTrained } from "../cli/control/trained.ts";
import { sigmasOf } from "../cli/network.ts";
import { writeFileAtomic } from "../cli/pictures/write.ts";
import { UsageError } from "../engine/errors.ts";
import { packValues, samplingState } from "../train/checkpoint.ts";
import type { About } from "../web/sample/checkpoint.ts";

const [run] = process.argv.slice(2);
if (run === undefined) throw new UsageError("web-checkpoint: got no run, expected the folder of one");

const { checkpoint, config } = openTrained(run);
const { model, sde } = config;
if (sde || model.name !== "ncsn-small" || config.data.name !== "digits")
  throw new UsageError(
    `web-checkpoint: got ${model.name} on ${config.data.name}, expected ncsn-small on a ladder and digits; ` +
      "train web/digits.yaml",
  );

const network = samplingState(checkpoint);
const bytes = packValues({ network, ema: new Map(), image: checkpoint.image, config: checkpoint.config });
const { stepsPerLevel, epsilon, seed } = config.sampling;
const { channels } = model;
const about: About = {
  name: "ncsn-small on drawn digits",
  made: "npx stein train web/digits.yaml --out runs/web && npx tsx scripts/web-checkpoint.ts runs/web",
  weights: `running averages, decay ${config.training.emaDecay}`,
  steps: checkpoint.step,
  batchSize: config.training.batchSize,
  seed: config.training.seed,
  parameters: [...network.values()].reduce((sum, { data }) => sum + data.length, 0) - sigmasOf(config).length,
  image: checkpoint.image,
  heldBack: config.data.heldBack,
  ...(channels && { channels }),
  sigmas: config.sigmas,
  sampling: { stepsPerLevel, epsilon, seed },
  sha256: createHash("sha256").update(bytes).digest("hex"),
};

const file = (name: string): string => fileURLToPath(new URL(`../web/assets/${name}`, import.meta.url));
writeFileAtomic(file("digits.safetensors"), bytes);
const json = JSON.stringify(about, null, 2).replace(/\[[\d\s,]+\]/g, (list) =>
  JSON.stringify(JSON.parse(list)),
);
writeFileAtomic(file("digits.json"), `${json.replaceAll(/(?<=\d),(?=\d)/g, ", ")}\n`);
console.log(`${about.parameters} parameters after ${about.steps} steps, ${bytes.length} bytes`);
