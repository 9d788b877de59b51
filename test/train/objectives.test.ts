/** What networks on SDEs are trained by: continuous or in steps, with dropout, recorded, resumed. */
import { describe, expect, test } from "vitest";
import { buildScoreNet } from "../../models/index.ts";
import { subVp, ve, vp } from "../../samplers/sde/index.ts";
import {
  annealed,
  Batches,
  packCheckpoint,
  readCheckpoint,
  restore,
  type SdeObjectiveOptions,
  sdeObjective,
  type TrainerOptions,
} from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { type DigitsRun, digitsRun, losses } from "./small-run.ts";

const sdes = { ve: ve({ sigmaMin: 0.01, sigmaMax: 8, steps: 40 }), vp: vp({ steps: 40 }), subvp: subVp() };

interface Choices extends Partial<SdeObjectiveOptions> {
  name?: keyof typeof sdes;
  dropout?: number;
}

/** NCSN++ of one level on an SDE. */
function sdeRun(
  { name = "ve", continuous = true, reduceMean = true, likelihoodWeighting = false, dropout = 0 }: Choices,
  changes: Partial<TrainerOptions> = {},
): DigitsRun {
  const exploding = name === "ve";
  const network = buildScoreNet(engine, {
    name: "ncsnpp",
    nf: 8,
    chMult: [1],
    numResBlocks: 1,
    attnResolutions: [],
    imageChannels: 1,
    imageSize: 8,
    sigmas: sdes.ve.discreteSigmas.toReversed(),
    predicts: exploding ? "score" : "eps",
    scaleBySigma: exploding,
    embeddingType: exploding && continuous ? "fourier" : "positional",
    dropout,
    seed: 5,
  });
  const objective = () => sdeObjective(sdes[name], { continuous, reduceMean, likelihoodWeighting });
  return digitsRun(engine, network, objective, changes);
}

const kinds = [
  ["the VE SDE", { name: "ve" }],
  ["the VE SDE in steps", { name: "ve", continuous: false }],
  ["the VP SDE", { name: "vp" }],
  ["the VP SDE in steps", { name: "vp", continuous: false }],
  ["the sub-VP SDE", { name: "subvp" }],
] as const satisfies [string, Choices][];

describe.each(kinds)("on %s", (_, choices) => {
  test("the loss falls from that of saying nothing", async () => {
    using run = sdeRun(choices, { shape: [16, 1, 8, 8], optimizer: { lr: 5e-3, emaDecay: 0.9 } });
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    const first = mean(await losses(run, 3));
    await losses(run, 25);
    const last = mean(await losses(run, 12));
    expect(Math.abs(first - 1)).toBeLessThan(0.2);
    expect(last).toBeLessThan(0.7 * first);
  });

  test("recorded steps with dropout are those that are not recorded", async () => {
    using recorded = sdeRun({ ...choices, dropout: 0.3 });
    using plain = sdeRun({ ...choices, dropout: 0.3 }, { capture: false });
    const all = await losses(recorded, 4);
    expect(all).toEqual(await losses(plain, 4));
    expect(new Set(all).size).toBe(4);
  });
});

test("a checkpoint goes on to the same bits as a run that never stopped", async () => {
  for (const continuous of [true, false]) {
    using whole = sdeRun({ continuous, dropout: 0.3 });
    await losses(whole, 3);
    const checkpoint = readCheckpoint(await packCheckpoint(whole.network, whole.trainer, ""), "test");
    const rest = await losses(whole, 3);

    using resumed = sdeRun({ continuous, dropout: 0.3 });
    restore(checkpoint, resumed.network, resumed.trainer);
    expect(await losses(resumed, 3)).toEqual(rest);
    expect(await packCheckpoint(resumed.network, resumed.trainer, "")).toEqual(
      await packCheckpoint(whole.network, whole.trainer, ""),
    );
  }
});

test("dropout changes the losses, to the same ones each time", async () => {
  const taken = async (dropout: number) => {
    using run = sdeRun({ dropout }, { optimizer: { lr: 0.01 } });
    return losses(run, 4);
  };
  const dropped = await taken(0.3);
  expect(dropped).not.toEqual(await taken(0));
  expect(await taken(0.3)).toEqual(dropped);
});

test("likelihood weighting weighs the VE SDE's times alike, by 2 log of the ratio of its sigmas", async () => {
  using plain = sdeRun({});
  using weighted = sdeRun({ likelihoodWeighting: true });
  const [[a], [b]] = [await losses(plain, 1), await losses(weighted, 1)];
  expect(b! / a!).toBeCloseTo(2 * Math.log(8 / 0.01), 3);
});

describe("refused", () => {
  test("the sub-VP SDE in steps", () => {
    expect(() =>
      sdeObjective(sdes.subvp, { continuous: false, reduceMean: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sdeObjective: got the sub-VP SDE in steps, of which it has none, expected continuous true]`,
    );
  });

  test("likelihood weighting in steps", () => {
    expect(() =>
      sdeObjective(sdes.vp, { continuous: false, reduceMean: true, likelihoodWeighting: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sdeObjective: got likelihoodWeighting in steps, expected continuous true, for it weighs times; leave it out]`,
    );
  });

  test("a network of the noise on a ladder of noise scales", () => {
    using run = sdeRun({ name: "vp" });
    const batches = new Batches({ count: 4, size: 4, seed: 1, order: () => Uint32Array.of(0, 1, 2, 3) });
    const objective = () => annealed(engine, { sigmas: [1, 0.1], batches });
    using labelled = digitsRun(engine, run.network, objective);
    expect(() => labelled.trainer.advance()).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: annealed: got a network that predicts eps, expected score; train it on an SDE]`,
    );
  });

  test("noise scales that ascend", () => {
    const batches = new Batches({ count: 4, size: 4, seed: 1, order: () => Uint32Array.of(0, 1, 2, 3) });
    expect(() => annealed(engine, { sigmas: [0.1, 1], batches })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: annealed: got sigma 1 at place 1, expected positive numbers, descending]`,
    );
  });
});
