import { twoGaussians } from "../../data/toys.ts";
import { type FigureContext, type FigureResult, within } from "./figure.ts";
import { estimate, fisherDivergence } from "./fisher.ts";
import { fitScore, scoreAt } from "./fit-score.ts";
import { sampleLaw, twoModes } from "./law.ts";
import { lengths, planeAxis, planeGrid } from "./plane.ts";
import { colours } from "./svg/colours.ts";
import { arrows, dots, heat } from "./svg/marks.ts";
import { panelFigure } from "./svg/panels.ts";
import { plusMinus } from "./table.ts";

/** The network, loss, batch and optimizer of the paper's code, which takes 10,000 steps. */
const settings = { loss: "ssm-vr", steps: 2500, batch: 128, lr: 1e-3, hidden: 128, emaDecay: 0.99 } as const;
const REACH = 8;
const HELD = 8192;
const SHOWN = { points: 1000, arrows: 15, cells: 64 };
/** Distances to the nearest mode, in its deviations, of what counts as near and as far. */
const [NEAR, FAR] = [2, 4];
/** The error that is drawn darkest. */
const DARKEST = 5;

/**
 * Where there are few data, the score is not learned: true and learned score of 1/5 N((-5,-5), I) + 4/5 N((5,5), I), and
 * how far they are apart. Song & Ermon 2019, section 3.2.2 and figure 2.
 */
export async function lowDensity({ engine, seed, budget, progress }: FigureContext): Promise<FigureResult> {
  const steps = within(budget, settings.steps);
  const onProgress = (done: number) => progress("two Gaussians", done, steps);
  const { network } = await fitScore(engine, twoModes, { ...settings, steps, seed, onProgress });
  const held = sampleLaw(twoModes, HELD, seed + 1);
  const divergence = fisherDivergence(await scoreAt(engine, network, held), twoModes.score(held));

  const cells = planeGrid(SHOWN.cells, -REACH, REACH);
  const errors = apart(await scoreAt(engine, network, cells), twoModes.score(cells));
  const meanWhere = (chosen: (distance: number) => boolean) =>
    estimate(errors.filter((_, i) => chosen(fromNearestMode(cells[2 * i]!, cells[2 * i + 1]!)))).mean;
  const near = meanWhere((distance) => distance <= NEAR);
  const far = meanWhere((distance) => distance > FAR);

  const grid = planeGrid(SHOWN.arrows, -REACH, REACH);
  const [truth, learned] = [twoModes.score(grid), await scoreAt(engine, network, grid)];
  network.dispose();
  const size = { pixels: 15, longest: 8 };
  const axes = {
    xAxis: planeAxis(REACH, [-5, 0, 5]),
    yAxis: planeAxis(REACH, [-5, 0, 5]),
  };
  const picture = panelFigure({
    title: "Scores where there are data and where there are none",
    panels: [
      { title: "data", ...axes, marks: [dots(held.subarray(0, 2 * SHOWN.points), colours.blue)] },
      { title: "true score", ...axes, marks: [arrows(grid, truth, colours.black, size)] },
      { title: "learned score", ...axes, marks: [arrows(grid, learned, colours.red, size)] },
      {
        title: "distance between them",
        subtitle: `light 0, dark ${DARKEST} and above`,
        ...axes,
        marks: [heat(errors, { side: SHOWN.cells, low: -REACH, high: REACH, most: DARKEST })],
      },
    ],
    width: 210,
    height: 210,
  });
  return {
    pictures: { "low-density.svg": picture },
    measured: { settings: { ...settings, steps }, divergence, meanError: { near, far } },
    table: [
      ["where", "mean of \\|s - grad log p\\|"],
      [`within ${NEAR} of a mode`, near.toPrecision(3)],
      [`more than ${FAR} from both, in [-${REACH}, ${REACH}]²`, far.toPrecision(3)],
      ["over the data, relative Fisher divergence", plusMinus(divergence.relative)],
    ],
  };
}

/** |a - b| of vectors [n, 2]. */
const apart = (a: ArrayLike<number>, b: Float64Array): Float64Array => lengths(b.map((v, i) => v - a[i]!));

const fromNearestMode = (x: number, y: number): number =>
  Math.min(...twoGaussians.components.map(({ mean }) => Math.hypot(x - mean[0]!, y - mean[1]!)));
