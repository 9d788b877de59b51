import { afterAll, describe, expect, test } from "vitest";
import { div, mul, reshape } from "../../engine/ops/index.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { subVp, ve, vp } from "../../samplers/sde/index.ts";
import { ddpmLoss } from "../../train/losses/ddpm.ts";
import type { Denoiser } from "../../train/losses/denoising.ts";
import { labelDraws, timeDraws } from "../../train/losses/draws.ts";
import { sdeLoss } from "../../train/losses/sde.ts";
import { smldLoss } from "../../train/losses/smld.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";

const SIZE = 2 * 3 * 3;
const x = upload(normal([4, 2, 3, 3], 1));
afterAll(() => x.dispose());

const predictor = <P extends "score" | "eps">(
  predicts: P,
  f: (x: Tensor, condition: Tensor) => Tensor,
): Denoiser => Object.assign(f, { predicts });

const item = async (loss: () => Tensor): Promise<number> => {
  const t = engine.scope(loss);
  const value = await t.item();
  t.dispose();
  return value;
};

const veSde = ve({ sigmaMin: 0.01, sigmaMax: 50, steps: 100 });

describe.each([
  ["mean", true, 1 / SIZE],
  ["half the sum", false, 1 / 2],
])("reduced by the %s", (_, reduceMean, factor) => {
  const ofNoise = async (z: () => Tensor) => {
    const t = engine.scope(z);
    const squares = [...(await t.data())].reduce((a, v) => a + v * v, 0);
    t.dispose();
    return (factor * squares) / 4;
  };

  test("a network that knows the noise has no loss, one that says nothing that of the noise", async () => {
    const source = { seed: 3, step: 2 };
    const run = (answer: (z: Tensor) => Tensor) => async (which: "sde" | "ddpm") =>
      item(() => {
        const times = timeDraws(x, source);
        const labels = labelDraws(x, 1000, source);
        const network = predictor("eps", () => answer(times.z)); // both draw the same noise
        return which === "sde"
          ? sdeLoss(network, subVp(), x, times, { reduceMean })
          : ddpmLoss(network, vp(), x, labels, { reduceMean });
      });
    const expected = await ofNoise(() => timeDraws(x, source).z);
    for (const which of ["sde", "ddpm"] as const) {
      expect(await run((z) => z)(which)).toBe(0);
      expect(await run((z) => mul(z, 0))(which)).toBeCloseTo(expected, 4);
    }
  });

  test("a network of the score has the loss of one of the noise, score = -eps / std", async () => {
    const [draws, sde] = [timeDraws(x, { seed: 3 }), vp()];
    const both = await Promise.all(
      (["eps", "score"] as const).map((predicts) =>
        item(() => {
          const network = predictor(predicts, (y, label) => {
            const eps = mul(y, 0.3);
            if (predicts === "eps") return eps;
            const { std } = sde.marginal(div(label, 999));
            return div(eps, mul(reshape(std, [-1, 1, 1, 1]), -1));
          });
          return sdeLoss(network, sde, x, draws, { reduceMean });
        }),
      ),
    );
    for (const t of Object.values(draws)) t.dispose();
    expect(both[1]! / both[0]!).toBeCloseTo(1, 5);
  });
});

test.each([vp(), subVp(), veSde])(
  "likelihood weighting weighs $name's squared error of the score by g^2",
  async (sde) => {
    const z = upload(normal([4, 2, 3, 3], 2));
    const u = engine.tensor([0.001, 0.2, 0.5, 1]);
    const says = predictor("score", (y) => mul(y, 0));
    const options = { reduceMean: false, eps: 0.01, likelihoodWeighting: true };
    const loss = await item(() => sdeLoss(says, sde, x, { u, z }, options));
    const [times, values] = [[...(await u.data())], [...(await z.data())]];
    const expected = times.map((v, n) => {
      const t = v * (1 - 0.01) + 0.01;
      const [{ std }, { diffusion }] = [sde.marginalAt(t), sde.coefficientsAt(t)];
      const squares = values.slice(n * SIZE, (n + 1) * SIZE).reduce((a, v) => a + (v / std) ** 2, 0);
      return (0.5 * squares * diffusion ** 2) / 4;
    });
    expect(loss / expected.reduce((a, v) => a + v)).toBeCloseTo(1, 5);
    for (const t of [u, z]) t.dispose();
  },
);

test("smldLoss numbers the scales from the largest", async () => {
  const labels = engine.tensor(Int32Array.from([0, 0, 99, 99]));
  const z = engine.zeros(x.shape);
  const itself = predictor("score", (y) => y);
  const loss = await item(() => smldLoss(itself, veSde, x, { labels, z }, { reduceMean: true }));
  const values = normal([4, 2, 3, 3], 1).data;
  const expected = values.reduce((a, v, i) => a + ((i < 2 * SIZE ? 50 : 0.01) * v) ** 2, 0) / values.length;
  expect(loss / expected).toBeCloseTo(1, 5);
  for (const t of [labels, z]) t.dispose();
});

describe("draws", () => {
  const many = engine.zeros([20_000, 1]);
  afterAll(() => many.dispose());

  test("of labels are uniform over the scales", async () => {
    const draws = labelDraws(many, 7, { seed: 5 });
    const [labels, z] = await engine.readAll([draws.labels, draws.z]);
    for (let label = 0; label < 7; label++) {
      const share = labels!.filter((v) => v === label).length / labels!.length;
      expect(Math.abs(zScore(share, 1 / 7, Math.sqrt((1 / 7) * (6 / 7)), labels!.length))).toBeLessThan(4);
    }
    expect(Math.abs(zScore([...z!].reduce((a, v) => a + v, 0) / z!.length, 0, 1, z!.length))).toBeLessThan(4);
    for (const t of Object.values(draws)) t.dispose();
  });

  test("are those of the whole batch, however it is split, and others at another step", async () => {
    const read = async (rows: number, source: { seed: number; step?: number; sampleOffset?: number }) => {
      const draws = engine.scope(() => timeDraws(engine.zeros([rows, 5]), source));
      const [u, z] = await engine.readAll([draws.u, draws.z]);
      for (const t of Object.values(draws)) t.dispose();
      return [...u!, ...z!];
    };
    const whole = await read(3, { seed: 5 });
    const parts = [await read(1, { seed: 5 }), await read(2, { seed: 5, sampleOffset: 1 })];
    expect([parts[0]![0], ...parts[1]!.slice(0, 2)]).toEqual(whole.slice(0, 3));
    expect([...parts[0]!.slice(1), ...parts[1]!.slice(2)]).toEqual(whole.slice(3));
    expect(await read(3, { seed: 5, step: 1 })).not.toEqual(whole);
  });

  test("move on with a Scalar between the replays of a captured loss", async () => {
    const step = new Scalar(0);
    const loss = (at: Scalar | number) =>
      sdeLoss(
        predictor("score", (y, sigma) => div(y, reshape(sigma, [-1, 1, 1, 1]))),
        veSde,
        x,
        timeDraws(x, { seed: 9, step: at }),
        { reduceMean: true },
      );
    const capture = engine.capture(() => loss(step));
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) {
      step.value = i;
      capture.replay();
      seen.push(await capture.result.item());
      expect(seen[i]! / (await item(() => loss(i)))).toBeCloseTo(1, 6);
    }
    expect(new Set(seen).size).toBe(3);
    capture.dispose();
  });
});

test.each([-1, 0, 1, Number.NaN])("a smallest time of %d is refused before the network is asked", (eps) => {
  const network = predictor("score", () => expect.fail("the network was asked"));
  engine.scope(() => {
    const [x, u] = [engine.ones([2, 3]), engine.ones([2])];
    expect(() => sdeLoss(network, veSde, x, { u, z: x }, { reduceMean: true, eps })).toThrow(
      `sdeLoss: got eps ${eps}, expected a time between 0 and 1`,
    );
  });
});

test("noise of another shape is refused", () => {
  const draws = { u: engine.ones([4]), z: engine.ones([4, 2, 3]) };
  expect(() =>
    sdeLoss(
      predictor("eps", (y) => y),
      vp(),
      x,
      draws,
      { reduceMean: true },
    ),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: denoisingLoss: got x [4,2,3,3], noise [4,2,3], expected one shape]`,
  );
  for (const t of Object.values(draws)) t.dispose();
});
