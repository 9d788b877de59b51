import { random } from "../../data/random.ts";
import { twoGaussians } from "../../data/toys.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { annealedLangevin, langevin } from "../../samplers/index.ts";
import { geometricSigmas } from "../../train/index.ts";
import { type FigureContext, type FigureResult, within } from "./figure.ts";
import type { Estimate } from "./fisher.ts";
import { sampleLaw, twoModes } from "./law.ts";
import { exactScore } from "./mixture-score.ts";
import { planeAxis } from "./plane.ts";
import { colours } from "./svg/colours.ts";
import { dots } from "./svg/marks.ts";
import { panelFigure } from "./svg/panels.ts";
import { plusMinus } from "./table.ts";

const REACH = 8;
/**
 * Steps of alpha = 0.1 sigma^2, as the paper's code, which ends at sigma = 1; here the ladder goes on at the same ratio
 * towards the data's own law. Plain dynamics take steps of alpha = 0.1, as many as the shorter annealing.
 */
const ladder = { begin: 20, end: 0.1, count: 17 };
const settings = { chains: 10_000, alpha: 0.1, stepsPerLevel: { paper: 100, slow: 400 } };
const SHOWN = 1000;

/**
 * Langevin dynamics keep the mixture of modes that they began with, annealed Langevin dynamics find the data's, the better
 * the slower, all with the exact score and from points uniform on [-8, 8]^2. Song & Ermon 2019, section 3.2.2 and figure 3.
 */
export async function modes({ engine, seed, budget, progress }: FigureContext): Promise<FigureResult> {
  const n = within(budget, settings.chains);
  const sigmas = geometricSigmas(ladder);
  const { alpha, stepsPerLevel } = settings;
  using plain = exactScore(engine, twoGaussians.components, [0]);
  using blurred = exactScore(engine, twoGaussians.components, sigmas);
  const chain = (name: string) => ({
    seed,
    start: anywhere(engine, n, seed),
    onStep: watch(engine, (done, total) => progress(name, done, total)),
  });
  const unannealed = langevin(engine, plain.score, [n, 2], {
    ...chain("langevin"),
    epsilon: alpha / 2,
    steps: sigmas.length * stepsPerLevel.paper,
  });
  const sets = [
    { name: "data", title: "data", points: sampleLaw(twoModes, n, seed + 1) },
    { name: "langevin", title: "Langevin", points: await pointsOf(unannealed) },
  ];
  for (const [pace, steps] of Object.entries(stepsPerLevel)) {
    const annealing = annealedLangevin(engine, blurred.score, [n, 2], {
      ...chain(`annealed, ${steps} a level`),
      sigmas,
      stepsPerLevel: steps,
      epsilon: (alpha / 2) * sigmas.at(-1)! ** 2,
      denoise: false,
    });
    const title = `annealed, ${steps} steps a level`;
    sets.push({ name: `annealed-${pace}`, title, points: await pointsOf(annealing) });
  }
  return resultOf(
    sets.map((set) => ({ ...set, weight: lowerWeight(set.points) })),
    { ...settings, chains: n, ladder },
  );
}

interface SampleSet {
  readonly name: string;
  readonly title: string;
  readonly points: Float32Array;
  readonly weight: Estimate;
}

const TRUE_WEIGHT = twoGaussians.components[0]!.weight;

function resultOf(sets: readonly SampleSet[], used: object): FigureResult {
  const picture = panelFigure({
    title: "Samples by the exact score, from points all over the square",
    panels: sets.map(({ title, points, weight }) => ({
      title,
      subtitle: `lower mode ${plusMinus(weight)}, true ${TRUE_WEIGHT}`,
      xAxis: planeAxis(REACH, [-5, 0, 5]),
      yAxis: planeAxis(REACH, [-5, 0, 5]),
      marks: [dots(points.subarray(0, 2 * SHOWN), colours.blue)],
    })),
    width: 210,
    height: 210,
  });
  return {
    pictures: { "modes.svg": picture },
    measured: {
      settings: used,
      trueWeight: TRUE_WEIGHT,
      lowerWeight: Object.fromEntries(sets.map(({ name, weight }) => [name, weight])),
    },
    table: [
      ["points", "weight of the lower mode", `off the true ${TRUE_WEIGHT}, in errors`],
      ...sets.map(({ title, weight }) => [
        title,
        plusMinus(weight),
        ((weight.mean - TRUE_WEIGHT) / weight.error).toFixed(1),
      ]),
    ],
  };
}

/** n points uniform on the square, [n, 2]. */
function anywhere(engine: Engine, n: number, seed: number): Tensor {
  const r = random(seed, 2);
  return engine.tensor(
    Float32Array.from({ length: 2 * n }, () => r.between(-REACH, REACH)),
    [n, 2],
  );
}

/** The share of points below the line between the modes, with the error of as many independent chains. */
export function lowerWeight(points: ArrayLike<number>): Estimate {
  const n = points.length / 2;
  let below = 0;
  for (let i = 0; i < points.length; i += 2) if (points[i]! + points[i + 1]! < 0) below++;
  const mean = below / n;
  return { mean, error: Math.sqrt((mean * (1 - mean)) / n) };
}

async function pointsOf(run: Promise<Tensor>): Promise<Float32Array> {
  const x = await run;
  const points = (await x.data()) as Float32Array;
  x.dispose();
  return points;
}

const watch =
  (engine: Engine, tell: (done: number, total: number) => void) =>
  async ({ done, total }: { done: number; total: number }) => {
    if (done % 100 === 0) await engine.sync(); // else the host runs far ahead of what is shown
    tell(done, total);
  };
