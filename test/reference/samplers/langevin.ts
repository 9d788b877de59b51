import { blurByLabel, mixtureInOps } from "../../../bench/figures/mixture-in-ops.ts";
import { type Component, mixture } from "../../../data/mixture.ts";
import type { Engine } from "../../../engine/engine.ts";
import { add, pad, reshape } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import {
  type AnnealingOptions,
  annealedInpainting,
  annealedInterpolation,
  annealedLangevin,
  asScore,
  type ChainStep,
  langevin,
  type ScoreFunction,
} from "../../../samplers/index.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { SamplerContext } from "./context.ts";
import { discreteVe, mixtureScore } from "./mixture-score.ts";

/** States of a chain in the order in which they came. */
interface Run {
  /** Where the score was asked for: before each update. */
  readonly asked: Values[];
  /** What each update left. */
  readonly left: Values[];
  readonly start: Values;
  readonly end: Values;
}

/** A case's sampler, called with where it starts and what it reports to. */
type Sampler = (
  c: SamplerContext,
  options: AnnealingOptions & { start: Tensor; onStep(progress: ChainStep): Promise<void> },
  score: (score: ScoreFunction) => ScoreFunction,
) => Promise<Tensor>;

/** Runs the case's sampler with its draws; what the published code returns is put together of the run's states. */
const runner = (sampler: Sampler, results: (run: Run, c: ReferenceCase) => NamedValues) =>
  async function runSampler(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
    using context = new SamplerContext(engine, c);
    const { attrs } = c;
    const start = startOf(context);
    const run = { start: await start.data(), asked: [] as Values[], left: [] as Values[] };
    const asked: Tensor[] = [];
    const options = {
      sigmas: context.numbers("in.sigmas"),
      stepsPerLevel: attrs.number("n_steps_each", 1),
      epsilon: attrs.number("step_lr", 0) || attrs.number("lr") / 2,
      denoise: attrs.boolean("denoise", false),
      noise: context.draw,
      seed: 0,
      start,
      async onStep({ x }: ChainStep) {
        run.left.push(await x.data());
      },
    };
    const watched = (score: ScoreFunction) =>
      asScore((x, condition) => {
        asked.push(engine.untrack(add(x, 0)));
        return score(x, condition);
      });
    const x = await sampler(context, options, watched);
    context.finish();
    const [end, ...before] = await engine.readAll([x, ...asked]);
    for (const t of [x, start, ...asked]) t.dispose();
    return results({ ...run, asked: before, end: end! }, c);
  };

/** in.x; images for several references stand in rows of samples there. */
function startOf(c: SamplerContext): Tensor {
  const shape = c.case.shape("in.x");
  return reshape(c.in("x"), shape.length === 5 ? [-1, ...shape.slice(2)] : shape);
}

const images = (states: readonly Values[]): NamedValues =>
  new Map([["out.images", Float32Array.from(states.flatMap((s) => [...Array.from(s)]))]]);

/** NCSN returns images as they are before each update, clamped. */
const clampedBefore = ({ asked }: Run) =>
  images(asked.map((s) => Float32Array.from(s, (v) => Math.min(1, Math.max(0, v)))));

/** NCSNv2 those after each update, and the denoised ones; or the last alone. */
const after = ({ left, end }: Run, { attrs }: ReferenceCase) => {
  if (attrs.boolean("final_only", false)) return images([end]);
  return images(attrs.boolean("denoise", false) ? [...left, end] : left);
};

/** Its inpainting those before each update, unclamped and with the known half as the update before left it. */
const before = ({ start, left }: Run) => images([start, ...left.slice(0, -1)]);

const last = ({ end }: Run): NamedValues => new Map([["out.x", end]]);

const imageScore = (c: SamplerContext, sigmas: readonly number[]) => mixtureScore(c, discreteVe(c, sigmas));

const annealed: Sampler = (c, options, watched) =>
  annealedLangevin(c.engine, watched(imageScore(c, options.sigmas)), options.start.shape, options);

/** Always at label 9, whatever the scales. */
const constant: Sampler = (c, options, watched) => {
  const { start } = options;
  const condition = c.own(c.engine.tensor(new Int32Array(start.dim(0)).fill(9)));
  const score = watched(imageScore(c, c.numbers("in.sigmas10")));
  return langevin(c.engine, score, start.shape, { ...options, condition, steps: c.attrs.number("n_steps") });
};

const interpolation: Sampler = (c, options, watched) =>
  annealedInterpolation(c.engine, watched(imageScore(c, options.sigmas)), options.start.shape, {
    ...options,
    interpolations: c.attrs.number("n_interpolations"),
  });

/** The left half of the references is known to all of their samples. */
const inpainting =
  (
    redraw: "level" | "step",
    changes: (c: SamplerContext) => Partial<AnnealingOptions> = () => ({}),
  ): Sampler =>
  (c, given, watched) => {
    const options = { ...given, ...changes(c) };
    const { shape } = options.start;
    const width = shape.at(-1)!;
    const [references, each] = c.case.shape("in.x") as [number, number];
    const all = Array.from({ length: references * each }, (_, i) => Math.floor(i / each));
    const size = shape.slice(1).reduce((a, b) => a * b);
    const refer = c.numbers("in.refer");
    const known = c.own(
      c.engine.tensor(
        all.flatMap((r) => refer.slice(r * size, (r + 1) * size)),
        shape,
      ),
    );
    const columns = Array.from({ length: width }, (_, x) => (x < width / 2 ? 1 : 0));
    const mask = c.own(c.engine.tensor(columns, [1, 1, 1, width]));
    /** The known half's noise has its width. */
    const noise = () => {
      const z = c.draw();
      return pad(
        z,
        z.shape.map((_, axis) => [0, axis === 3 ? width - z.dim(3) : 0]),
      );
    };
    return annealedInpainting(c.engine, watched(imageScore(c, c.numbers("in.sigmas"))), shape, {
      ...options,
      noise,
      known,
      mask,
      redraw,
    });
  };

/**
 * The case runs fewer scales and steps than it names, under labels from 0, which the model takes for the first scales.
 * How many, its file shows: the known half is drawn once a scale, and each step leaves an image.
 */
const shortened = (c: SamplerContext): Partial<AnnealingOptions> => {
  const sigmas = c.numbers("in.sigmas");
  const width = c.case.shape("in.x").at(-1)!;
  const halves = [...c.case.under("noise.").values()].filter(({ shape }) => shape.at(-1)! < width);
  const stride = Math.ceil(sigmas.length / halves.length);
  return {
    sigmas: sigmas.filter((_, i) => i % stride === 0),
    stepsPerLevel: c.case.shape("out.images")[0]! / halves.length,
  };
};

/** The mixture of the two-dimensional experiment, blurred: its components have no width of their own. */
function toyScore(c: SamplerContext, sigmas: readonly number[]): ScoreFunction {
  const [weights, means] = [c.numbers("in.mix_probs"), c.numbers("in.means")];
  const law = c.own(mixtureInOps(c.engine, { weights, means, stds: weights.map(() => 0) }));
  const { blur } = c.own(blurByLabel(c.engine, sigmas));
  return asScore((x, labels) => law.score(x, blur(labels)));
}

const toyAnnealed: Sampler = (c, options, watched) =>
  annealedLangevin(c.engine, watched(toyScore(c, options.sigmas)), options.start.shape, options);

const toyConstant: Sampler = (c, options, watched) =>
  langevin(c.engine, watched(toyScore(c, [1])), options.start.shape, {
    ...options,
    steps: c.attrs.number("steps"),
  });

/** The density of the toy data sets. The published one is divided by sqrt(2 pi) sigma, whatever the dimension. */
async function toyDensity(_: Engine, c: ReferenceCase): Promise<NamedValues> {
  const values = (name: string) => [...c.tensors.get(`in.${name}`)!.data];
  const [means, x] = [values("means"), values("x")];
  const components = values("mix_probs").map(
    (weight, i): Component => ({ weight, mean: means.slice(2 * i, 2 * i + 2), sigma: 0 }),
  );
  const { logDensity, score } = mixture(components);
  const published = (sigma: number) =>
    logDensity(x, sigma).map((logp) => logp + 0.5 * Math.log(2 * Math.PI * sigma ** 2));
  return new Map([
    ["out.log_prob", published(1)],
    ["out.log_prob_sigma4", published(4)],
    ["out.score", score(x, 1)],
    ["out.score_sigma4", score(x, 4)],
  ]);
}

export const langevinRunners = {
  ncsn_annealed_langevin: runner(annealed, clampedBefore),
  ncsn_langevin: runner(constant, clampedBefore),
  ncsn_inpainting: runner(inpainting("level", shortened), clampedBefore),
  ncsnv2_annealed_langevin: runner(annealed, after),
  ncsnv2_interpolation: runner(interpolation, after),
  ncsnv2_inpainting: runner(inpainting("step"), before),
  toy_langevin: runner(toyConstant, last),
  toy_annealed_langevin: runner(toyAnnealed, last),
  toy_density: toyDensity,
};
