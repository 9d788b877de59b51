import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Engine } from "../../engine/engine.ts";
import { asPredictor, buildScoreNet } from "../../models/index.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import { readCheckpoint } from "../../train/checkpoint.ts";
import { geometricSigmas } from "../../train/sigmas.ts";
import type { About } from "../../web/sample/checkpoint.ts";

// The page's checkpoint as a program in Node reads it, by the library and without the page's modules.

const asset = (name: string) => readFileSync(new URL(`../../web/assets/${name}`, import.meta.url));

export const bytes = asset("digits.safetensors");
export const about = JSON.parse(asset("digits.json").toString()) as About;
export const sigmas = geometricSigmas(about.sigmas);
export const sha256 = createHash("sha256").update(bytes).digest("hex");
export const checkpoint = readCheckpoint(bytes, "digits.safetensors");

/** The score of the page's network. */
export function openScore(engine: Engine): ScoreFunction {
  const network = buildScoreNet(engine, {
    name: "ncsn-small",
    channels: [8, 24, 48],
    ...{ imageChannels: 1, imageSize: 28, sigmas, seed: 0 },
  });
  network.load(checkpoint.network);
  return asPredictor(network);
}
