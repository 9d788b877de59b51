import { linearAxis } from "../../cli/pictures/ticks.ts";
import { type FigureContext, type FigureResult, within } from "./figure.ts";
import { type Estimate, estimate } from "./fisher.ts";
import { fitScore } from "./fit-score.ts";
import { circleLaw, sampleLaw } from "./law.ts";
import { lengths } from "./plane.ts";
import { colours } from "./svg/colours.ts";
import { line } from "./svg/marks.ts";
import { type Panel, panelFigure } from "./svg/panels.ts";
import { plusMinus } from "./table.ts";

const SIGMA = 0.1;
const settings = { loss: "ssm-vr", steps: 2000, batch: 128, lr: 3e-3, hidden: 64, emaDecay: 0 } as const;
/** Points that the least loss is estimated from. */
const DRAWN = 8192;
/** A curve shows means over as many steps as leave about so many points. */
const SHOWN = 400;

/**
 * Data on a curve: sliced score matching on the points as they are and blurred a little. Song & Ermon 2019, section 3.2.1
 * and figure 1, with a circle in place of images, for which the least loss is known: -E|grad log p|^2 / 2.
 */
export async function manifold({ engine, seed, budget, progress }: FigureContext): Promise<FigureResult> {
  const blurred = circleLaw(SIGMA);
  const steps = within(budget, settings.steps);
  const curveOf = async (name: string, sigma: number) => {
    const onProgress = (done: number) => progress(name, done, steps);
    const { network, losses } = await fitScore(
      engine,
      { ...blurred, sigma },
      { ...settings, steps, seed, onProgress },
    );
    network.dispose();
    return losses;
  };
  const bare = await curveOf("circle as it is", 0);
  const mild = await curveOf("circle, blurred", SIGMA);
  const least = estimate(
    lengths(blurred.score(sampleLaw(blurred, DRAWN, seed + 1))).map((v) => -(v ** 2) / 2),
  );
  const [ends, endsMild] = [lastTenth(bare), lastTenth(mild)];
  const picture = panelFigure({
    title: "Sliced score matching on a circle: its loss while training",
    panels: [
      curve("points as they are", "no density, no least loss", bare),
      curve(`blurred by ${SIGMA}`, `least loss ${plusMinus(least)}`, mild, least.mean),
    ],
    legend: [
      { name: "loss", colour: colours.blue },
      { name: "least loss there is, in closed form", colour: colours.red, dashed: true },
    ],
    width: 360,
    height: 220,
  });
  return {
    pictures: { "manifold.svg": picture },
    measured: { settings: { ...settings, steps, sigma: SIGMA }, asTheyAre: ends, blurred: endsMild, least },
    table: [
      [
        "circle of radius 1",
        "loss, last tenth of training",
        "its spread from step to step",
        "least there is",
      ],
      ["as it is", ...shownEnds(ends), "none"],
      [`blurred by ${SIGMA}`, ...shownEnds(endsMild), plusMinus(least)],
    ],
  };
}

interface Ending extends Estimate {
  /** Standard deviation over the steps. */
  spread: number;
}

function lastTenth(losses: Float32Array): Ending {
  const tail = losses.subarray(Math.floor(0.9 * losses.length));
  const { mean, error } = estimate(tail);
  return { mean, error, spread: error * Math.sqrt(tail.length) };
}

const shownEnds = (ending: Ending): string[] => [
  plusMinus(ending),
  String(Number(ending.spread.toPrecision(2))),
];

function curve(title: string, subtitle: string, losses: Float32Array, least?: number): Panel {
  const stride = Math.ceil(losses.length / SHOWN);
  const ys = Array.from(
    { length: Math.floor(losses.length / stride) },
    (_, k) => estimate(losses.subarray(k * stride, (k + 1) * stride)).mean,
  );
  const xs = ys.map((_, k) => (k + 0.5) * stride);
  const xAxis = linearAxis([0, losses.length]);
  const ends = [xAxis.low, xAxis.high];
  return {
    title,
    subtitle,
    xAxis,
    yAxis: linearAxis(least === undefined ? ys : [...ys, least]),
    xLabel: "step",
    yLabel: "loss",
    marks: [
      line(xs, ys, colours.blue),
      ...(least === undefined ? [] : [line(ends, [least, least], colours.red, { dashed: true })]),
    ],
  };
}
