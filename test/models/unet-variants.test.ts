/** DDPM and NCSN++ in variants, sizes and depths that the reference files have not. */
import { describe, expect, test } from "vitest";
import { array64 } from "../../engine/oracle/array.ts";
import { Ddpm } from "../../models/ddpm.ts";
import { Init } from "../../models/init.ts";
import { NcsnPP, type NcsnPPOptions } from "../../models/ncsnpp.ts";
import type { Prediction } from "../../models/prediction.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { forward64, type Net64 } from "./ncsnpp-64.ts";

type Changes = Partial<NcsnPPOptions<Prediction>>;

const usual = {
  ...{ channels: 3, imageSize: 8, nf: 8, chMult: [1, 1], numResBlocks: 1, attnResolutions: [] },
  ...{ predicts: "score" as Prediction, sigmas: [9, 3, 1, 0.3, 0.1] },
};

const variants: Record<string, Changes> = {
  "four levels, cat, the output a residual path, elu": {
    ...{ imageSize: 16, chMult: [1, 2, 1, 2], attnResolutions: [16, 2], act: "elu" },
    ...{ progressive: "residual", progressiveInput: "input_skip", progressiveCombine: "cat" },
  },
  "DDPM's blocks between filters with convolutions, both paths residual, grey, two blocks a level": {
    ...{ channels: 1, chMult: [2, 1, 1], numResBlocks: 2, resblockType: "ddpm", centered: true },
    ...{ progressive: "residual", progressiveInput: "residual", embeddingType: "positional" },
  },
  "DDPM's blocks between filters alone, cat, no rescaling": {
    ...{ chMult: [1, 2], resblockType: "ddpm", resampWithConv: false, skipRescale: false, act: "lrelu" },
    ...{ progressive: "residual", progressiveInput: "input_skip", progressiveCombine: "cat" },
  },
  "no filter, not told the noise, the output a residual path": {
    ...{ chMult: [1, 2, 2], fir: false, conditional: false, skipRescale: false, act: "lrelu" },
    ...{ progressive: "residual", progressiveInput: "none", attnResolutions: [4] },
  },
  "no filter, DDPM's blocks with convolutions, a picture at every size, the noise predicted": {
    ...{ fir: false, resblockType: "ddpm", attnResolutions: [8, 4], embeddingType: "positional" },
    ...{ progressive: "output_skip", progressiveInput: "residual", scaleBySigma: false, predicts: "eps" },
  },
  "three taps, a picture at every size, relu, a side that halves once to an odd one": {
    ...{ imageSize: 6, firKernel: [1, 2, 1], progressive: "output_skip", act: "relu", nf: 12 },
  },
  "five taps that are not symmetric, with convolutions": {
    ...{ firKernel: [1, 4, 6, 3, 2], resblockType: "ddpm", progressive: "residual" },
  },
  "one level": { imageSize: 5, chMult: [2], attnResolutions: [5], progressive: "output_skip" },
};

/** Zeros, with which layers begin, would hide what is before them: every parameter is drawn. */
async function drawn(network: NcsnPP<Prediction> | Ddpm<Prediction>): Promise<Net64["state"]> {
  const state = new Map(await network.state());
  [...state].forEach(([name, { shape, data }], i) => {
    if (name === "sigmas" || name.endsWith(".W")) {
      if (shape.length < 2) return; // the table and the Fourier features stay
    }
    const values = normal(shape, 50 + i).data;
    const fanIn = shape.length > 1 ? data.length / shape[name.endsWith(".W") ? 1 : 0]! : 1;
    const one = name.includes("GroupNorm") && name.endsWith("weight") ? 1 : 0;
    const width = shape.length > 1 ? 1 / Math.sqrt(fanIn) : 0.3;
    state.set(name, { shape, data: Float32Array.from(values, (v) => one + width * v) });
  });
  network.load(state);
  return state;
}

async function expectAsPublished(
  network: NcsnPP<Prediction> | Ddpm<Prediction>,
  net: Omit<Net64, "state">,
  told: readonly number[],
): Promise<void> {
  const { channels, imageSize } = net.options;
  const shape = [told.length, channels, imageSize, imageSize];
  const x = normal(shape, 7).data.map(Math.fround);
  const expected = forward64({ ...net, state: await drawn(network) }, array64(shape, x), told).data;
  const y = engine.scope(() =>
    engine.noGrad(() => network.run(engine.tensor(Float32Array.from(x), shape), engine.tensor([...told]))),
  );
  const got = await y.data();
  y.dispose();
  network.dispose();
  const largest = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  expect(got.length).toBe(expected.length);
  let worst = 0;
  for (const [i, v] of got.entries()) worst = Math.max(worst, Math.abs(v - expected[i]!));
  expect(worst / largest).toBeLessThan(5e-5);
}

describe("NCSN++", () => {
  test.each(Object.entries(variants))("%s", async (_, changes) => {
    const network = new NcsnPP<Prediction>(new Init(engine, 2), { ...usual, ...changes });
    const fourier = network.options.embeddingType === "fourier";
    await expectAsPublished(network, { options: network.options }, fourier ? [0.2, 5] : [3.7, 0]);
  });
});

describe("DDPM", () => {
  test.each([
    ["with convolutions, three levels, an image alone", true, [1, 2, 1], [3]],
    ["without, attention at every size", false, [2, 1], [4, 1.5]],
  ] as const)("%s", async (_, resampWithConv, chMult, told) => {
    const options = { ...usual, channels: 1, imageSize: 4, nf: 32, chMult, resampWithConv };
    const attnResolutions = resampWithConv ? [2] : [4, 2];
    const network = new Ddpm<Prediction>(new Init(engine, 2), {
      ...options,
      attnResolutions,
      predicts: "eps",
    });
    const plain = {
      fir: false,
      firKernel: [],
      skipRescale: false,
      resblockType: "ddpm",
      progressive: "none",
      progressiveInput: "none",
      progressiveCombine: "sum",
      embeddingType: "positional",
      fourierScale: 16,
      initScale: 0,
    } as const;
    await expectAsPublished(network, { options: { ...plain, ...network.options }, groups: 32 }, told);
  });
});
