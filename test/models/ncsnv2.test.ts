import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { mean, square } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { countParameters, type Module } from "../../models/module.ts";
import { NcsnDeeper, type NcsnOptions } from "../../models/ncsn.ts";
import { Ncsnv2, Ncsnv2Deeper, Ncsnv2Deepest, type Ncsnv2Options, ncsnv2For } from "../../models/ncsnv2.ts";
import { engine } from "../support/engine.ts";
import { expectScalarNear } from "../support/near.ts";

const sigmas = [10, 1, 0.1];
const tiny: Ncsnv2Options = { channels: 3, imageSize: 16, ngf: 3, sigmas };
const networks = [Ncsnv2, Ncsnv2Deeper, Ncsnv2Deepest].map(
  (Network) => new Network(new Init(engine, 1), tiny),
);
const [net, deeper, deepest] = networks as [Ncsnv2, Ncsnv2Deeper, Ncsnv2Deepest];
afterAll(() => {
  for (const network of networks) network.dispose();
});

const labels = (values: number[]): Tensor => engine.tensor(Int32Array.from(values));
const namesOf = (module: Module): string[] => [...module.named()].map(([name]) => name);

describe("official names", () => {
  test("so many tensors, the buffer of sigmas first", () => {
    expect(networks.map((network) => namesOf(network).length)).toEqual([154, 192, 230]);
    expect(namesOf(net).slice(0, 8)).toEqual([
      "sigmas",
      "begin_conv.weight",
      "begin_conv.bias",
      "normalizer.alpha",
      "normalizer.gamma",
      "normalizer.beta",
      "end_conv.weight",
      "end_conv.bias",
    ]);
    expect([...net.parameters().keys()]).not.toContain("sigmas");
  });

  test("of the stages and the cascades, in the order in which the published networks register them", () => {
    const parts = (module: Module) => [
      ...new Set(
        namesOf(module)
          .map((name) => name.split(".")[0]!)
          .slice(8),
      ),
    ];
    const numbered = (n: number) => [1, 2, 3, 4, 5].slice(0, n);
    const plain = (n: number) => ["res", "refine"].flatMap((part) => numbered(n).map((i) => part + i));
    expect(parts(net)).toEqual(plain(4));
    expect(parts(deeper)).toEqual(plain(5));
    expect(parts(deepest)).toEqual(
      plain(5).flatMap((name) => (name.endsWith("3") ? [name, `${name}1`] : [name])),
    );
  });

  test("of a cascade: convolutions only", () => {
    const own = namesOf(net).filter((name) => name.startsWith("refine2."));
    expect(own.filter((name) => name.includes("norm"))).toEqual([]);
    expect(own.slice(-6)).toEqual([
      "refine2.msf.convs.0.weight",
      "refine2.msf.convs.0.bias",
      "refine2.msf.convs.1.weight",
      "refine2.msf.convs.1.bias",
      "refine2.crp.convs.0.weight",
      "refine2.crp.convs.1.weight",
    ]);
  });
});

describe("parameter counts are those of the published networks", () => {
  test("in small", () => {
    const options = { ...tiny, imageSize: 32 };
    const counts = [
      [Ncsnv2, 6, 66_261],
      [Ncsnv2Deeper, 3, 46_629],
      [Ncsnv2Deepest, 3, 52_611],
    ] as const;
    for (const [Network, ngf, count] of counts) {
      const network = new Network(new Init(engine), { ...options, ngf });
      expect(countParameters(network)).toBe(count);
      network.dispose();
    }
  });

  test("in full size, built without touching the device", async () => {
    const full = { channels: 3, ngf: 128 };
    const counts: number[] = [];
    const live = engine.memory().live;
    await engine.prepare(() => {
      const count = (network: Module) => {
        counts.push(countParameters(network));
        network.dispose();
      };
      count(new Ncsnv2(new Init(engine), { ...full, imageSize: 32, sigmas }));
      count(new Ncsnv2Deeper(new Init(engine), { ...full, imageSize: 128, sigmas }));
      count(new Ncsnv2Deepest(new Init(engine), { ...full, imageSize: 256, sigmas }));
      count(new NcsnDeeper(new Init(engine), { ...full, imageSize: 128, numClasses: 10 }));
    });
    expect(engine.memory().live).toBe(live);
    expect(counts).toEqual([29_694_083, 83_445_379, 94_132_611, 83_931_651]);
  });
});

test("the network that the authors took for each size", () => {
  expect([32, 64].map(ncsnv2For)).toEqual([Ncsnv2, Ncsnv2]);
  expect([96, 128].map(ncsnv2For)).toEqual([Ncsnv2Deeper, Ncsnv2Deeper]);
  expect(ncsnv2For(256)).toBe(Ncsnv2Deepest);
});

describe("forward", () => {
  const score = async (network: Ncsnv2, value: number, levels: number[]): Promise<number[]> => {
    const y = engine.noGrad(() =>
      engine.scope(() => network.run(engine.full([levels.length, 3, 16, 16], value), labels(levels))),
    );
    expect(y.shape).toEqual([levels.length, 3, 16, 16]);
    const data = [...(await y.data())];
    y.dispose();
    return data;
  };

  test.each(networks.map((network) => [network.constructor.name, network] as const))(
    "%s: of the noise level only sigma counts, by which the score is divided",
    async (_, network) => {
      const before = engine.memory().live;
      const y = await score(network, 0.25, [0, 2]);
      expect(engine.memory().live).toBe(before);
      const [coarse, fine] = [y.slice(0, 768), y.slice(768)];
      expect(Math.max(...fine.map(Math.abs))).toBeGreaterThan(1e-3);
      const largest = Math.max(...fine.map(Math.abs)) * 0.1;
      for (const [i, value] of fine.entries())
        expectScalarNear(value * 0.1, coarse[i]! * 10, 2e-6, largest, `pixel ${i}`);
    },
  );

  test("images that lie in [-1, 1] are taken as they are", async () => {
    const state = await net.state();
    for (const option of ["rescaled", "logitTransform"] as const) {
      const taken = new Ncsnv2(new Init(engine), { ...tiny, [option]: true });
      taken.load(state);
      expect(await score(taken, -0.5, [1])).toEqual(await score(net, 0.25, [1])); // 2 x 0.25 - 1
      taken.dispose();
    }
  });

  test("a gradient reaches every parameter and leaves nothing behind", async () => {
    const before = engine.memory().live;
    const parameters = [...net.parameters().values()];
    const grads = engine.scope(() => {
      const x = engine.tensor(
        Float32Array.from({ length: 2 * 768 }, (_, i) => (i * 37) % 101),
        [2, 3, 16, 16],
      );
      return grad(mean(square(net.run(x, labels([0, 1])))), parameters);
    });
    expect(grads.map((g) => g.shape)).toEqual(parameters.map((p) => p.shape));
    const values = await engine.readAll(grads);
    expect(values.every((g) => g.every(Number.isFinite) && g.some((v) => v !== 0))).toBe(true);
    for (const g of grads) g.dispose();
    expect(engine.memory().live).toBe(before);
  });
});

test("the last instance norm takes the number of noise levels for its eps, as the published one", () => {
  const network = new Ncsnv2(new Init(engine), { ...tiny, normalization: "InstanceNorm" });
  expect(network.normalizer).toMatchObject({ eps: 3 });
  expect((network as unknown as { res1: { normalize1: unknown }[] }).res1[0]!.normalize1).toMatchObject({
    eps: 1e-5,
  });
  network.dispose();
});

describe("what does not fit is refused before any work", () => {
  const build = (options: Partial<Ncsnv2Options>) => () =>
    new Ncsnv2Deepest(new Init(engine), { ...tiny, ...options });

  test("options", () => {
    expect(build({ imageSize: 12 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsnv2Deepest: got imageSize 12, expected a multiple of 8; the network halves the image three times]`,
    );
    expect(build({ sigmas: [] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsnv2Deepest: got sigma none at place 0, expected positive numbers, descending]`,
    );
    expect(build({ sigmas: [1, -1] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsnv2Deepest: got sigma -1 at place 1, expected positive numbers, descending]`,
    );
    expect(build({ normalization: "InstanceNorm+" as "InstanceNorm" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: plainNorm: got InstanceNorm+, expected one of InstanceNorm++, InstanceNorm, VarianceNorm, NoneNorm; did you mean InstanceNorm++?]`,
    );
  });

  test("options of the conditional networks", () => {
    const options: NcsnOptions = { channels: 3, imageSize: 16, ngf: 3, numClasses: 5 };
    const conditional = (change: Partial<NcsnOptions>) => () =>
      new NcsnDeeper(new Init(engine), { ...options, ...change });
    expect(conditional({ imageSize: 18 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnDeeper: got imageSize 18, expected a multiple of 4; the network halves the image twice]`,
    );
    expect(conditional({ numClasses: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnDeeper: got numClasses 0, expected a whole number of at least 1]`,
    );
    expect(conditional({ normalization: "NonNorm" as "NoneNorm" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: NcsnDeeper: got normalization NonNorm, expected one of InstanceNorm++, InstanceNorm, VarianceNorm, NoneNorm; did you mean NoneNorm?]`,
    );
  });

  test("inputs", () => {
    const odd = engine.zeros([2, 3, 12, 16]);
    const x = engine.zeros([2, 3, 16, 16]);
    const one = labels([0]);
    expect(() => deepest.run(odd, one)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsnv2Deepest: got x [2,3,12,16], expected [n,3,h,w] with sides that are multiples of 8]`,
    );
    expect(() => deepest.run(x, one)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsnv2Deepest: got labels i32 [1] for x [2,3,16,16], expected i32 [2]]`,
    );
    for (const t of [odd, x, one]) t.dispose();
  });
});
