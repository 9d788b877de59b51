import { type MatchingName, matchingNames } from "../../train/index.ts";
import { type FigureContext, type FigureResult, within } from "./figure.ts";
import { type FisherDivergence, fisherDivergence } from "./fisher.ts";
import { fitScore, scoreAt } from "./fit-score.ts";
import { comparedLaws, type Law, sampleLaw } from "./law.ts";
import { lengths, planeAxis, planeGrid, quantile } from "./plane.ts";
import { colours } from "./svg/colours.ts";
import { arrows, dots } from "./svg/marks.ts";
import { panelFigure } from "./svg/panels.ts";
import { plusMinus } from "./table.ts";

const settings = {
  steps: 3000,
  batch: 1024,
  lr: 1e-2,
  lrEnd: 2e-4,
  hidden: 64,
  frequencies: 6,
  emaDecay: 0.99,
};
/** Points at which a score is held against the true one; no network was trained on them. */
const HELD = 8192;
const SHOWN = { points: 300, side: 13, reach: 5 };

const titles: Record<MatchingName, string> = {
  dsm: "denoising",
  ssm: "sliced",
  "ssm-vr": "sliced, less variance",
  hyvarinen: "explicit",
};

/** Every loss on every law: how far the learned score is from the closed form, and what it looks like beside it. */
export async function learning(context: FigureContext): Promise<FigureResult> {
  const pictures: Record<string, string> = {};
  const measured: Record<string, unknown> = {};
  const rows: string[][] = [["law", "loss", "E\\|s - grad log p\\|²", "relative to E\\|grad log p\\|²"]];
  for (const law of comparedLaws) {
    const { divergences, picture } = await compare(context, law);
    pictures[`learning-${law.name}.svg`] = picture;
    measured[law.name] = { blur: law.sigma, ...divergences };
    rows.push([law.name, "score of zero", plusMinus(divergences.dsm.ofZero), "1"]);
    for (const loss of matchingNames) {
      const { absolute, relative } = divergences[loss];
      rows.push([law.name, loss, plusMinus(absolute), plusMinus(relative)]);
    }
  }
  const steps = within(context.budget, settings.steps);
  return { pictures, measured: { settings: { ...settings, steps, held: HELD }, ...measured }, table: rows };
}

/** Networks trained by all losses on a law, and one figure of their scores. */
async function compare({ engine, seed, budget, progress }: FigureContext, law: Law) {
  const held = sampleLaw(law, HELD, seed + 1);
  const truth = law.score(held);
  const grid = planeGrid(SHOWN.side, -SHOWN.reach, SHOWN.reach);
  const trueArrows = law.score(grid);
  const size = { pixels: 13, longest: quantile(lengths(truth), 0.9) };
  const points = held.subarray(0, 2 * SHOWN.points);
  const steps = within(budget, settings.steps);
  const divergences = {} as Record<MatchingName, FisherDivergence>;
  const panels = [];
  for (const loss of matchingNames) {
    const onProgress = (done: number) => progress(`${law.name}, ${loss}`, done, steps);
    const { network } = await fitScore(engine, law, { ...settings, loss, seed, steps, onProgress });
    divergences[loss] = fisherDivergence(await scoreAt(engine, network, held), truth);
    const learned = await scoreAt(engine, network, grid);
    network.dispose();
    panels.push({
      title: titles[loss],
      subtitle: `relative error ${divergences[loss].relative.mean.toPrecision(2)}`,
      xAxis: planeAxis(SHOWN.reach, [-4, -2, 0, 2, 4]),
      yAxis: planeAxis(SHOWN.reach, [-4, -2, 0, 2, 4]),
      marks: [
        dots(points, colours.blue),
        arrows(grid, trueArrows, colours.black, size),
        arrows(grid, learned, colours.red, size),
      ],
    });
  }
  const picture = panelFigure({
    title: `Learned scores beside the true one: ${law.name.replace("_", " ")}, blurred by ${law.sigma}`,
    panels,
    legend: [
      { name: "points", colour: colours.blue },
      { name: "true score", colour: colours.black },
      { name: "learned score", colour: colours.red },
    ],
    width: 200,
    height: 200,
  });
  return { divergences, picture };
}
