/** What a network says of an image does not depend on the batch around it: kernels are chosen by other sizes. */
import { expect, test } from "vitest";
import { scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { buildScoreNet, type ScoreNetOptions } from "../../models/index.ts";
import { engine } from "../support/engine.ts";

const common = { imageChannels: 1, imageSize: 8, sigmas: [1, 0.5, 0.1], seed: 3 };
const uNet = { nf: 8, chMult: [1, 2], numResBlocks: 1, attnResolutions: [4] };
const networks: readonly ScoreNetOptions[] = [
  { ...common, name: "ncsn-small", channels: [8, 8, 8] },
  { ...common, name: "ncsn", ngf: 8, imageSize: 16 },
  { ...common, name: "ncsnv2", ngf: 8, imageSize: 32 },
  { ...common, name: "ncsnpp", ...uNet, embeddingType: "fourier", scaleBySigma: true },
  {
    ...common,
    name: "ncsnpp",
    ...uNet,
    embeddingType: "positional",
    imageSize: 9,
    chMult: [1],
    attnResolutions: [9],
  },
  { ...common, name: "ddpm", ...uNet, nf: 32 },
];

test.each(networks.map((o, i) => [`${o.name} ${i}`, o] as const))("%s", async (_, options) => {
  const network = buildScoreNet(engine, options);
  for (const t of network.parameters().values()) {
    // Zeros, with which some layers begin, would hide what is before them.
    engine.scope(() => engine.copy(scale(randn(engine, t.shape, { seed: 7, purpose: "init" }), 0.2), t));
  }
  const { imageChannels: c, imageSize: h } = options;
  const from = async (first: number, n: number): Promise<Float32Array> => {
    const y = engine.scope(() =>
      engine.noGrad(() => {
        const x = randn(engine, [n, c, h, h], { seed: 5, purpose: "user", sampleOffset: first });
        const labelled = !("embeddingType" in options && options.embeddingType === "fourier");
        const told = labelled ? engine.tensor(new Int32Array(n).fill(1), [n], "i32") : engine.full([n], 0.5);
        return network.forward(x, told);
      }),
    );
    const values = (await y.data()) as Float32Array;
    y.dispose();
    return values;
  };
  const whole = await from(0, 11);
  expect(whole.every(Number.isFinite)).toBe(true);
  expect(new Set(whole).size).toBeGreaterThan(whole.length / 2);
  const size = c * h * h;
  for (const [first, n] of [
    [0, 1],
    [1, 2],
    [3, 3],
    [2, 5],
    [0, 8],
  ] as const)
    expect(await from(first, n), `${n} of 11`).toEqual(whole.subarray(first * size, (first + n) * size));
  network.dispose();
});
