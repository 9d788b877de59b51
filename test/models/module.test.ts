import { afterAll, describe, expect, test } from "vitest";
import { add } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { Conv2d, GaussianFourierProjection, Linear } from "../../models/layers/index.ts";
import { countParameters, Module, type State } from "../../models/module.ts";
import { engine } from "../support/engine.ts";

class Net extends Module<[x: Tensor], Tensor> {
  readonly first: Linear;
  readonly time: GaussianFourierProjection;
  readonly rest: readonly Linear[];
  readonly width = 3;

  constructor(init: Init) {
    super();
    this.first = new Linear(init, 2, 3);
    this.time = new GaussianFourierProjection(init, 4);
    this.rest = [new Linear(init, 3, 3, { bias: false }), new Linear(init, 3, 1)];
    this.nameParts();
  }

  forward(x: Tensor): Tensor {
    return this.rest.reduce((h, layer) => layer.run(h), this.first.run(x));
  }
}

const net = new Net(new Init(engine, 7));
afterAll(() => net.dispose());
const bare = (net: Module) =>
  new Map([...net.named()].map(([name, t]) => [name, { shape: t.shape, data: new Float32Array(t.size) }]));

describe("names", () => {
  test("follow the fields, arrays are numbered, buffers are among them", () => {
    expect([...net.named()].map(([name, t]) => [name, t.shape])).toEqual([
      ["first.weight", [3, 2]],
      ["first.bias", [3]],
      ["time.W", [4]],
      ["rest.0.weight", [3, 3]],
      ["rest.1.weight", [1, 3]],
      ["rest.1.bias", [1]],
    ]);
  });

  test("of parameters leave buffers out", () => {
    expect([...net.parameters().keys()]).not.toContain("time.W");
    expect(countParameters(net)).toBe(6 + 3 + 9 + 3 + 1);
  });
});

describe("fields", () => {
  class Tied extends Module<[x: Tensor], Tensor> {
    readonly first = new Linear(new Init(engine, 1), 2, 2);
    readonly second = this.first;
    readonly steps = engine.untrack(engine.tensor(new Int32Array([7])));
    last: Tensor | undefined;

    forward(x: Tensor): Tensor {
      this.last = engine.untrack(this.first.run(x));
      return this.second.run(this.last);
    }
  }

  test("that share parameters train them once, and values computed of them are none", () => {
    const tied = new Tied();
    const names = ["first.weight", "first.bias", "second.weight", "second.bias", "steps"];
    engine.scope(() => void tied.run(engine.ones([1, 2])));
    expect([...tied.parameters().keys()]).toEqual(["first.weight", "first.bias"]);
    expect(countParameters(tied)).toBe(6);
    expect([...tied.named()].map(([name]) => name)).toEqual(names);
    tied.dispose();
  });

  test("that share a weight take the values of its first name", async () => {
    const tied = new Tied();
    const weight = (...data: number[]) => ({ shape: [2, 2], data: Float32Array.from(data) });
    const state = new Map(await tied.state());
    tied.load(state.set("first.weight", weight(1, 2, 3, 4)).set("second.weight", weight(5, 6, 7, 8)));
    expect([...(await tied.second.weight.data())]).toEqual([1, 2, 3, 4]);
    tied.dispose();
  });

  test("of integers go out and come back", async () => {
    const tied = new Tied();
    const state = await tied.state();
    tied.steps.write(new Int32Array([1]));
    tied.load(state);
    expect(await tied.steps.item()).toBe(7);
    tied.dispose();
  });
});

describe("state", () => {
  test("goes out and comes back", async () => {
    const other = new Net(new Init(engine, 8));
    const state = await net.state();
    expect((await other.state()).get("time.W")).not.toEqual(state.get("time.W"));
    other.load(state);
    expect(await other.state()).toEqual(state);
    other.dispose();
  });

  test("one seed gives one network", async () => {
    const twin = new Net(new Init(engine, 7));
    expect(await twin.state()).toEqual(await net.state());
    twin.dispose();
  });

  test("that does not fit is refused with every fault at once, and nothing is written", async () => {
    const before = await net.state();
    const state: Map<string, { shape: readonly number[]; data: Float32Array }> = bare(net);
    state.delete("first.bias");
    state.set("rest.0.weight", { shape: [3, 2], data: new Float32Array(6) });
    state.set("first.weigth", { shape: [3, 2], data: new Float32Array(6) });
    state.set("optimizer", { shape: [1], data: new Float32Array(1) });
    expect(() => net.load(state as State)).toThrowErrorMatchingInlineSnapshot(`
      [UsageError: load: the state does not fit the network:
        missing first.bias [3]
        rest.0.weight: got [3,2], expected [3,3]
        unexpected first.weigth (did you mean first.weight?)
        unexpected optimizer]
    `);
    expect(await net.state()).toEqual(before);
  });
});

describe("run", () => {
  test("frees what is neither result nor graph", () => {
    const before = engine.memory().live;
    const x = engine.ones([5, 2]);
    const y = engine.noGrad(() => net.run(x));
    expect(y.shape).toEqual([5, 1]);
    y.dispose();
    x.dispose();
    expect(engine.memory().live).toBe(before);
  });

  test("finds its engine in arrays and options", () => {
    class Sum extends Module<[xs: readonly Tensor[], options: { bias: Tensor }], Tensor> {
      forward(xs: readonly Tensor[], { bias }: { bias: Tensor }): Tensor {
        return xs.reduce((a, b) => add(a, b), bias);
      }
    }
    engine.scope(() => {
      expect(new Sum().run([], { bias: engine.ones([2]) }).shape).toEqual([2]);
      expect(new Sum().run([engine.ones([3, 2])], { bias: engine.ones([2]) }).shape).toEqual([3, 2]);
    });
  });

  test("says when there is no tensor", () => {
    expect(() => net.run(3 as unknown as Tensor)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Net: got no tensor among the arguments, expected at least one]`,
    );
  });

  test("clears the path after a fault", () => {
    const x = engine.ones([5, 4]);
    expect(() => net.run(x)).toThrow(/matmul/);
    expect(engine.path).toEqual([]);
    x.dispose();
  });
});

test("dispose gives everything back", () => {
  const before = engine.memory().live;
  new Net(new Init(engine)).dispose();
  new Conv2d(new Init(engine), 3, 4).dispose();
  expect(engine.memory().live).toBe(before);
});
