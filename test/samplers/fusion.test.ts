/** The paths of a sampler's update: the same numbers from the same draws, and nothing read back on the way. */
import { describe, expect, test, vi } from "vitest";
import { add, conv2d, div, mean, reshape, silu } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  annealedInpainting,
  annealedLangevin,
  asScore,
  type ChainOptions,
  consistentAnnealing,
  ddim,
  edm,
  type Fusion,
  langevin,
  predictorCorrector,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const shape = [3, 2, 4, 8];
const made = (of: readonly number[], site: number) => randn(engine, of, { seed: 8, purpose: "user", site });
const [first, last, bias] = [made([6, 2, 3, 3], 1), made([2, 6, 3, 3], 2), made([2], 3)].map((t) =>
  engine.untrack(t),
);

/** Two convolutions, so that the last kernel of the score is one. */
const net = (x: Tensor) =>
  conv2d(silu(conv2d(x, first!, undefined, { padding: 1 })), last!, bias, { padding: 1 });
const byLabel = asScore((x) => net(x));
const overSigma = asScore((x, sigma) => div(net(x), reshape(sigma, [-1, 1, 1, 1])));

const sigmas = [1, 0.7, 0.5];
const annealing = { sigmas, stepsPerLevel: 2, epsilon: 0.01 };
const known = { known: engine.untrack(engine.zeros([2, 4, 8])), mask: engine.untrack(engine.ones([1, 8])) };
const exploding = ve({ sigmaMin: 0.1, sigmaMax: 2, steps: 4 });
const preserving = vp({ steps: 4, betaMax: 3 });

type Run = (options: ChainOptions) => Promise<Tensor>;
const pc =
  (
    options: Pick<
      Parameters<typeof predictorCorrector>[3],
      "sde" | "predictor" | "corrector" | "probabilityFlow"
    >,
  ): Run =>
  async (o) =>
    (await predictorCorrector(engine, overSigma, shape, { ...options, condition: () => 3, ...o })).x;

const samplers: Record<string, Run> = {
  langevin: (o) => langevin(engine, byLabel, shape, { epsilon: 0.01, steps: 4, ...o }),
  "annealed Langevin": (o) => annealedLangevin(engine, byLabel, shape, { ...annealing, ...o }),
  "annealed inpainting": (o) => annealedInpainting(engine, byLabel, shape, { ...annealing, ...known, ...o }),
  "consistent annealing": (o) => consistentAnnealing(engine, byLabel, shape, { sigmas, epsilon: 0.2, ...o }),
  "DDIM, eta 0": (o) => ddim(engine, overSigma, shape, { sde: preserving, steps: 4, ...o }),
  "DDIM, eta 1": (o) => ddim(engine, overSigma, shape, { sde: preserving, steps: 4, eta: 1, ...o }),
  EDM: (o) =>
    edm(engine, overSigma, shape, { steps: 4, sigmaMin: 0.1, sigmaMax: 2, churn: { amount: 1 }, ...o }),
  "reverse diffusion": pc({ sde: exploding, corrector: "none" }),
  "ancestral sampling": pc({ sde: preserving, predictor: "ancestral_sampling", corrector: "none" }),
  "probability flow": pc({ sde: exploding, corrector: "none", probabilityFlow: true }),
  "Langevin corrector": pc({ sde: exploding, predictor: "none" }),
  "predictor and corrector": pc({ sde: preserving, predictor: "euler_maruyama", corrector: "ald" }),
};

/** The samples, and the kernels that a step is replayed as. */
async function sampled(run: Run, fusion: Fusion) {
  const capture = vi.spyOn(engine, "capture");
  try {
    const kernels = new Set<string>();
    const x = await run({
      seed: 4,
      sampleOffset: 2,
      fusion,
      onStep() {
        for (const { value } of capture.mock.results)
          for (const c of value.commands) kernels.add(c.program.kernel.name);
      },
    });
    const values = await x.data();
    x.dispose();
    return { values, kernels };
  } finally {
    capture.mockRestore();
  }
}

describe.each(Object.entries(samplers))("%s", (name, run) => {
  test("three paths, one chain", async () => {
    const [separate, fused, network] = [
      await sampled(run, "separate"),
      await sampled(run, "fused"),
      await sampled(run, "network"),
    ];
    expect(separate.values.every(Number.isFinite)).toBe(true);
    expect(separate.kernels).not.toContain("linear_update");
    expect(fused.kernels).toContain("linear_update");
    if (name === "Langevin corrector") expect(network.kernels).not.toContain("conv_update");
    else expect(network.kernels).toContain("conv_update");
    const truth = { shape, data: Float64Array.from(separate.values) };
    expectNear(fused.values, truth, { terms: 200 }, "fused");
    expectNear(network.values, truth, { terms: 200 }, "network");
  });
});

test("a thousand steps whose sizes the norms decide read back once, at the end", async () => {
  const copies = vi.spyOn(engine.stream, "copyOut");
  try {
    const sde = ve({ sigmaMin: 0.1, sigmaMax: 2, steps: 1000 });
    const score = asScore((x, sigma) => div(x, reshape(sigma, [-1, 1])));
    const { x } = await predictorCorrector(engine, score, [2, 4], { sde, seed: 1, snr: 0.01 });
    expect(copies).not.toHaveBeenCalled();
    await x.data();
    expect(copies).toHaveBeenCalledTimes(1);
    x.dispose();
  } finally {
    copies.mockRestore();
  }
});

test.each(["separate", "fused", "network"] as const)(
  "%s: a score of another shape is refused, even where it would stretch",
  async (fusion) => {
    const means = asScore((x) => mean(x, { axis: 1, keepDims: true }));
    const { live } = engine.memory();
    await expect(
      langevin(engine, means, [4, 2], { epsilon: 0.1, steps: 2, seed: 1, fusion }),
    ).rejects.toThrow("got x [4,2], score [4,1], expected one shape");
    expect(engine.memory().live).toBe(live);
  },
);

test("noise of another shape that is handed in is refused", async () => {
  const score = asScore((x) => add(x, 0));
  const noise = () => engine.ones([1, 2]);
  await expect(langevin(engine, score, [4, 2], { epsilon: 0.1, steps: 2, seed: 1, noise })).rejects.toThrow(
    "update: got x [4,2], noise [1,2], expected one shape",
  );
});

test("a fusion that does not exist, and one that noise in memory has no part in, are refused", async () => {
  const run = (options: object) => samplers["langevin"]!({ seed: 1, ...options });
  await expect(run({ fusion: "networks" })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: langevin: got fusion networks, expected one of separate, fused, network; did you mean network?]`,
  );
  await expect(run({ fusion: "network", noise: () => bias! })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[UsageError: langevin: got noise with fusion: "network", whose kernel draws its own; leave one of them out]`,
  );
});
