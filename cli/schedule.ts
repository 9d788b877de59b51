import { stringify } from "yaml";
import { type ImageSet, imageSize } from "../data/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import {
  largestDistance,
  type PointPair,
  type Points,
  type Schedule,
  sampledDistance,
} from "../train/techniques/index.ts";
import { linePlot } from "./pictures/plot.ts";
import { progressOf } from "./progress.ts";

/** The largest distance of two images, and how it was found. */
export interface Measured extends PointPair {
  /** In words, for people and for the head of schedule.yaml: which images, and how sure that is. */
  readonly how: string;
  readonly exact: boolean;
  /** No two images are farther apart. */
  readonly upperBound: number;
}

/** Images as the network sees them, in [-1, 1] if centered. */
export const pointsOf = (images: ImageSet, centered: boolean): Points => ({
  count: images.count,
  dimensions: imageSize(images),
  read(i, out, offset) {
    images.image(i, out, offset);
    if (centered) for (let k = offset; k < offset + imageSize(images); k++) out[k] = 2 * out[k]! - 1;
  },
});

/** Compares all images, on the device. Shows progress. */
export async function measureAll(engine: Engine, points: Points): Promise<Measured> {
  const onProgress = progressOf("comparing tiles of images");
  const found = await largestDistance(engine, points, { onProgress });
  const { pair, distance, compared, total } = found;
  const how = `images ${pair.join(" and ")}, the largest distance of all pairs, exactly; ${compared} of ${total} pairs of tiles had to be compared`;
  return { pair, distance, how, exact: true, upperBound: distance };
}

/** Looks at random pairs, without a device. */
export function measureSome(points: Points, pairs: number, seed: number): Measured {
  const { pair, distance, shareBeyond, upperBound } = sampledDistance(points, { pairs, seed });
  const share = `${(100 * shareBeyond).toPrecision(2)} %`;
  const how =
    `images ${pair.join(" and ")}, the largest distance of ${pairs} random pairs; no pair is beyond ${upperBound.toPrecision(4)}, and at most ${share} ` +
    "of all are farther (95 % confidence)";
  return { pair, distance, how, exact: false, upperBound };
}

/** Sections to put into a configuration. */
export function scheduleYaml(schedule: Schedule, head: readonly string[]): string {
  const { begin, end, count, steps, epsilon } = schedule;
  const sections = {
    sigmas: { begin, end, count },
    sampling: { stepsPerLevel: steps, epsilon, denoise: true },
  };
  return `${head.map((line) => `# ${line}\n`).join("")}${stringify(sections)}`;
}

/** Noise scales and step sizes by their number. */
export function schedulePlot({ levels, overlap, varianceRatio }: Schedule): string {
  const x = levels.map((_, i) => i + 1);
  return linePlot({
    title: `${levels.length} noise scales: overlap ${overlap.toFixed(3)}, variance ratio ${varianceRatio.toFixed(3)}`,
    xLabel: "scale, in the order of sampling",
    yLabel: "in units of the data",
    logY: true,
    series: [
      { name: "sigma", x, y: levels.map(({ sigma }) => sigma) },
      { name: "step size", x, y: levels.map(({ stepSize }) => stepSize) },
    ],
  });
}
