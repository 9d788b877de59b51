import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { mean, square } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { countParameters } from "../../models/module.ts";
import { Ncsn, type NcsnOptions } from "../../models/ncsn.ts";
import { engine } from "../support/engine.ts";

const tiny: NcsnOptions = { channels: 1, imageSize: 28, ngf: 4, numClasses: 10 };
const net = new Ncsn(new Init(engine, 1), tiny);
afterAll(() => net.dispose());

const labels = (values: number[]): Tensor => engine.tensor(Int32Array.from(values));

describe("official names", () => {
  const names = [...net.named()].map(([name]) => name);

  test("173 tensors, in the order in which the published network registers them", () => {
    expect(names.length).toBe(173);
    expect(names.slice(0, 12)).toEqual([
      "begin_conv.weight",
      "begin_conv.bias",
      "normalizer.embed.weight",
      "end_conv.weight",
      "end_conv.bias",
      "res1.0.conv1.weight",
      "res1.0.conv1.bias",
      "res1.0.normalize2.embed.weight",
      "res1.0.conv2.weight",
      "res1.0.conv2.bias",
      "res1.0.normalize1.embed.weight",
      "res1.1.conv1.weight",
    ]);
  });

  test("of the block that pools", () => {
    expect(names.filter((name) => name.startsWith("res2.0."))).toEqual([
      "res2.0.conv1.weight",
      "res2.0.conv1.bias",
      "res2.0.normalize2.embed.weight",
      "res2.0.conv2.conv.weight",
      "res2.0.conv2.conv.bias",
      "res2.0.shortcut.conv.weight",
      "res2.0.shortcut.conv.bias",
      "res2.0.normalize1.embed.weight",
    ]);
  });

  test("of a cascade, units before fusion", () => {
    const own = names
      .filter((name) => name.startsWith("refine4."))
      .map((name) => name.slice("refine4.".length));
    expect(own.slice(0, 4)).toEqual([
      "adapt_convs.0.1_1_norm.embed.weight",
      "adapt_convs.0.1_1_conv.weight",
      "adapt_convs.0.1_2_norm.embed.weight",
      "adapt_convs.0.1_2_conv.weight",
    ]);
    expect(own.filter((name) => name.startsWith("output_convs")).length).toBe(12); // three units at the end
    expect(own.slice(-10)).toEqual([
      "msf.convs.0.weight",
      "msf.convs.0.bias",
      "msf.convs.1.weight",
      "msf.convs.1.bias",
      "msf.norms.0.embed.weight",
      "msf.norms.1.embed.weight",
      "crp.convs.0.weight",
      "crp.convs.1.weight",
      "crp.norms.0.embed.weight",
      "crp.norms.1.embed.weight",
    ]);
    expect(names.some((name) => name.startsWith("refine1.msf"))).toBe(false); // one input, nothing to fuse
  });
});

test("parameter counts are those of the published networks", () => {
  expect(countParameters(net)).toBe(42_777);
  const cifar10 = new Ncsn(new Init(engine), { channels: 3, imageSize: 32, ngf: 128, numClasses: 10 });
  expect(countParameters(cifar10)).toBe(30_117_635); // NCSN for CIFAR-10
  cifar10.dispose();
});

describe("forward", () => {
  test("scores have the shape of the images, and leave nothing behind", async () => {
    const before = engine.memory().live;
    const values: number[][] = [];
    for (let step = 0; step < 3; step++) {
      const y = engine.noGrad(() =>
        engine.scope(() => net.run(engine.full([2, 1, 28, 28], 0.25), labels([0, 9]))),
      );
      expect(y.shape).toEqual([2, 1, 28, 28]);
      values.push([...(await y.data())]);
      y.dispose();
      expect(engine.memory().live).toBe(before);
    }
    expect(values[1]).toEqual(values[0]);
    expect(values[0]!.every(Number.isFinite)).toBe(true);
  });

  test("so does a gradient", () => {
    const before = engine.memory().live;
    for (let step = 0; step < 2; step++) {
      engine.scope(() => {
        const loss = mean(square(net.run(engine.full([2, 1, 28, 28], 0.25), labels([3, 4]))));
        const parameters = [...net.parameters().values()];
        const grads = grad(loss, parameters);
        expect(grads.map((g) => g.shape)).toEqual(parameters.map((p) => p.shape));
      });
      expect(engine.memory().live).toBe(before);
    }
  });

  test("a label changes the score of its own image only", async () => {
    const score = async (values: number[]) => {
      const y = engine.noGrad(() =>
        engine.scope(() => net.run(engine.full([2, 1, 28, 28], 0.25), labels(values))),
      );
      const data = [...(await y.data())];
      y.dispose();
      return data;
    };
    const [a, b] = [await score([0, 9]), await score([5, 9])];
    expect(a.slice(784)).toEqual(b.slice(784));
    expect(a.slice(0, 784)).not.toEqual(b.slice(0, 784));
  });

  test("a fault is found by the module's path", () => {
    const paths = new Set<string>();
    engine.observer = ({ path }) => paths.add(path);
    engine.scope(() => net.run(engine.full([1, 1, 28, 28], 0), labels([0])));
    engine.observer = undefined;
    expect(paths).toContain("Ncsn.refine4.output_convs.3_2_conv");
    expect(paths).toContain("Ncsn.res2.0.conv2.conv");
  });
});

describe("what does not fit is refused before any work", () => {
  const build = (options: Partial<NcsnOptions>) => () => new Ncsn(new Init(engine), { ...tiny, ...options });

  test("options", () => {
    expect(build({ imageSize: 27 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got imageSize 27, expected a multiple of 2; the network halves the image once]`,
    );
    expect(build({ ngf: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got ngf 0, expected a whole number of at least 1]`,
    );
    expect(build({ act: "rlu" as "relu" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got activation rlu, expected one of elu, relu, lrelu, swish; did you mean elu?]`,
    );
  });

  test("inputs", () => {
    const x = engine.zeros([2, 1, 28, 28]);
    const colour = engine.zeros([2, 3, 28, 28]);
    const three = labels([0, 1, 2]);
    const floats = engine.zeros([2]);
    expect(() => net.run(colour, three)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got x [2,3,28,28], expected [n,1,h,w] with sides that are multiples of 2]`,
    );
    expect(() => net.run(x, three)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got labels i32 [3] for x [2,1,28,28], expected i32 [2]]`,
    );
    expect(() => net.run(x, floats)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Ncsn: got labels f32 [2] for x [2,1,28,28], expected i32 [2]]`,
    );
    for (const t of [x, colour, three, floats]) t.dispose();
  });
});
