import type { Config } from "../config.ts";
import type { Images } from "../run.ts";
import type { BitsReport } from "./bits.ts";
import type { Comparison } from "./compare.ts";
import type { Space } from "./spaces.ts";
import { bitsLine, copyLines, figureTable } from "./table.ts";

/** Where samples came from: drawn here, or out of a file of which nothing else is known. */
type Origin =
  | { readonly nfe: number }
  | { readonly file: string; readonly count: number; readonly sha256: string };

export interface ReportParts {
  readonly run: string;
  readonly step: number;
  /** Of the network. */
  readonly weights: { readonly kind: "ema" | "raw"; readonly sha256: string };
  readonly config: Config;
  readonly origin: Origin;
  readonly images: Images;
  readonly against: string;
  readonly spaces: readonly Space[];
  readonly comparison: Comparison;
  readonly bits: BitsReport | undefined;
}

/** What evaluation.json holds: every figure, and all that it depends on. */
export function reportOf(parts: ReportParts): object {
  const { run, step, weights, config, origin, images, against, spaces, comparison, bits } = parts;
  const used = !("file" in origin) || bits !== undefined;
  return {
    ...{ run, step, weights: used ? weights : null },
    samples: samplesOf(config, origin),
    data: {
      ...{ name: config.data.name, train: images.train.count, heldBack: images.heldBack.count },
      ...{ against, seed: config.sampling.seed },
    },
    spaces: spaces.map(({ name, sha256, dim }) => ({ name, dim, sha256 })),
    figures: comparison.figures,
    copies: comparison.copies,
    likelihood: bits ?? null,
  };
}

function samplesOf({ sampling, sde }: Config, origin: Origin): object {
  if ("file" in origin)
    return { source: "file", ...origin, note: "sampler, weights and seed of these samples are not known" };
  const { count, batchSize: batch, seed, denoise, ...options } = sampling;
  return {
    ...{ source: "drawn", count, batch, seed, denoise, ...origin },
    sampler: { along: sde ? sde.name : "noise scales", ...options },
  };
}

/** The same for people. */
export function reportLines({ comparison: { figures, copies }, bits }: ReportParts): string[] {
  const fid = figures.some(({ name }) => name === "FID");
  return [
    ...figureTable(figures),
    ...copyLines(copies),
    ...(bits ? [bitsLine(bits)] : []),
    ...(fid
      ? []
      : ["none of these is FID, which takes --inception and 10,000 images of each kind: docs/evaluation.md"]),
  ];
}
