import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AffineName,
  activate,
  groupNorm,
  instanceNorm,
  instanceNormPlus,
  type NormOptions,
} from "../../engine/ops/norm.ts";
import { type Array64, array64, map } from "../../engine/oracle/array.ts";
import { embedding as lookedUp } from "../../engine/oracle/embedding.ts";
import * as oracle from "../../engine/oracle/norm.ts";
import { reshape, slice } from "../../engine/oracle/shape.ts";
import { applyUnary } from "../../engine/oracle/unary.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { NormActivation } from "../../kernels/norm.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { awayFromZero, labels, normal, rounded, uniform } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const activations: readonly NormActivation[] = ["none", "elu", "silu", "relu", "leakyRelu"];
type Kind = "instance" | "plus" | "group";

interface Problem {
  kind: Kind;
  shape: readonly number[];
  groups: number;
  /** Parameters there are, all [c] or all [n, c]. */
  gamma: boolean;
  beta: boolean;
  alpha: boolean;
  perSample: boolean;
  eps: number;
  seed: number;
}

const int = (min: number, max: number) => fc.integer({ min, max });
const problems: fc.Arbitrary<Problem> = fc
  .record({
    kind: fc.constantFrom<Kind>("instance", "plus", "group"),
    shape: fc.tuple(int(1, 3), int(1, 3), int(1, 6), int(2, 6)),
    groups: int(1, 4),
    gamma: fc.boolean(),
    beta: fc.boolean(),
    alpha: fc.boolean(),
    perSample: fc.boolean(),
    eps: fc.constantFrom(1e-5, 1e-2),
    seed,
  })
  .map((p) => {
    const [n, c, h, w] = p.shape;
    return { ...p, shape: [n, p.kind === "group" ? c * p.groups : c, h, w] };
  });

/** What stands for the norm, on tensors and in the oracle, over the inputs that are there. */
function norms(p: Problem, activation: NormActivation) {
  const names = ["gamma", "beta", ...(p.kind === "plus" ? ["alpha"] : [])].filter(
    (name) => p[name as "gamma"],
  );
  const [n, c] = p.shape as [number, number];
  const slope = 0.2;
  const pick = <T>(given: readonly T[], name: string): T | undefined => given[names.indexOf(name)];
  const op = (x: Tensor, ...given: Tensor[]): Tensor => {
    const [gamma, beta, alpha] = ["gamma", "beta", "alpha"].map((name) => pick(given, name));
    const options: NormOptions = { gamma, beta, eps: p.eps, activation, slope };
    if (p.kind === "instance") return instanceNorm(x, options);
    return p.kind === "group" ? groupNorm(x, p.groups, options) : instanceNormPlus(x, { ...options, alpha });
  };
  const mathematics = (x: Array64, ...given: Array64[]): Array64 => {
    const [gamma, beta, alpha] = ["gamma", "beta", "alpha"].map((name) => pick(given, name) ?? null);
    const attrs = {
      groups: p.kind === "group" ? p.groups : c,
      eps: p.eps,
      activation,
      slope,
      plus: p.kind === "plus",
    };
    return oracle.norm(x, attrs, gamma!, beta!, alpha!);
  };
  const parameter = p.perSample ? [n, c] : [c];
  const inputs = (seed: number) => [
    normal(p.shape, seed),
    ...names.map((_, i) => normal(parameter, seed + 1 + i)),
  ];
  return { op, mathematics, inputs };
}

/** Draws until no argument of the activation is within the reach of the differences from its kink at 0. */
function clearOfKinks(p: Problem): Array64[] {
  const { mathematics, inputs } = norms(p, "none");
  for (let seed = p.seed; ; seed += 1000) {
    const drawn = inputs(seed);
    if (mathematics(...(drawn as [Array64])).data.every((z) => Math.abs(z) > 0.01)) return drawn;
  }
}

test.each(activations)("norms with activation %s: value, first and second derivative", (activation) =>
  check(
    problems,
    async (p) => {
      const kinked = !["none", "silu"].includes(activation);
      const tame = kinked
        ? { ...p, shape: [p.shape[0]!, p.shape[1]!, 2, 3], groups: p.groups, beta: true }
        : p;
      const { op, mathematics, inputs } = norms(tame, activation);
      const drawn = kinked ? clearOfKinks(tame) : inputs(p.seed);
      await checkOp({ op, oracle: mathematics, inputs: drawn, seed: p.seed, terms: 36 });
    },
    12,
  ),
);

test("a mean far from 0 costs no more digits than float32 has there", async () => {
  const x = rounded(map(normal([2, 4, 8, 8], 1), (v) => 1000 + v));
  for (const kind of ["instance", "plus", "group"] as const) {
    const p: Problem = {
      kind,
      shape: x.shape,
      groups: 2,
      gamma: false,
      beta: false,
      alpha: false,
      perSample: false,
      eps: 1e-5,
      seed: 1,
    };
    const { op, mathematics } = norms(p, "none");
    const y = op(upload(x));
    expectNear(await y.data(), mathematics(x), { magnitude: 1000 }, kind);
    y.dispose();
  }
});

test("constant maps give beta, not NaN, and so do their gradients", async () => {
  const x = array64([1, 2, 2, 2], Array(8).fill(3));
  const beta = array64([2], [0.5, -1]);
  const { op, mathematics } = norms(
    {
      kind: "instance",
      shape: x.shape,
      groups: 1,
      gamma: false,
      beta: true,
      alpha: false,
      perSample: false,
      eps: 1e-5,
      seed: 1,
    },
    "none",
  );
  const y = op(upload(x), upload(beta));
  expect([...(await y.data())]).toEqual([...mathematics(x, beta).data]);
  y.dispose();
});

test.each([
  [[1, 2, 64, 64], 10.1],
  [[2, 3, 255, 255], 10.1],
  [[1, 2, 260, 260], 10.1],
  [[1, 2, 9, 64], 1e8],
] as const)("constant maps of %j stay 0 but for the rounding of their mean", async (shape, value) => {
  const eps = 1e-5;
  const given = engine.full(shape, value);
  const nothing = array64(shape);
  for (const op of [instanceNorm, instanceNormPlus, (x: Tensor) => groupNorm(x, 1)]) {
    const y = op(given);
    expectNear(await y.data(), nothing, { magnitude: value / Math.sqrt(eps) });
    y.dispose();
  }
  given.dispose();
});

test("what stands far out first in a map costs the others no digits", async () => {
  const x = normal([1, 2, 64, 64], 1);
  x.data[0] = 1000;
  const y = instanceNorm(upload(x));
  const exact = oracle.norm(x, { groups: 2, eps: 1e-5, activation: "none", plus: false }, null, null, null);
  expectNear(await y.data(), exact, { magnitude: map(exact, (v) => 1 + Math.abs(v)) });
  y.dispose();
});

test("one channel has no mean to compare with: ++ leaves it out", async () => {
  const x = normal([2, 1, 3, 3], 1);
  const y = instanceNormPlus(upload(x));
  const attrs = { groups: 1, eps: 1e-5, activation: "none" as const, plus: false };
  expectNear(await y.data(), oracle.norm(x, attrs, null, null, null), { terms: 9 });
  y.dispose();
});

test("a single group is layer norm over an image, a pixel alone is normalised by its group", async () => {
  const shapes = [
    [2, 6, 3, 5],
    [3, 8, 1, 1],
  ];
  for (const shape of shapes) {
    const p: Problem = {
      kind: "group",
      shape,
      groups: shape[1] === 6 ? 1 : 2,
      gamma: true,
      beta: true,
      alpha: false,
      perSample: false,
      eps: 1e-5,
      seed: 1,
    };
    const { op, mathematics, inputs } = norms(p, "none");
    await checkOp({ op, oracle: mathematics, inputs: inputs(5), seed: 5, terms: 90 });
  }
});

test.each(activations)("activate by the name %s", async (name) => {
  const x = awayFromZero(0.05)([20], 1);
  const attrs = { slope: 0.3 };
  await checkOp({
    op: (t) => (name === "none" ? activate(t, name) : activate(t, name, 0.3)),
    oracle: (t) => (name === "none" ? t : applyUnary(name, t, attrs)),
    inputs: [x],
    seed: 1,
    derivatives: name === "none" ? 0 : 2,
  });
});

test.each([[[3, 12]], [[2, 4, 7]], [[2, 4, 3, 2, 5]]])("of x %j, as of an image", (shape) => {
  const [n, c, ...rest] = shape as [number, number, ...number[]];
  const image = [n, c, 1, rest.reduce((a, b) => a * b, 1)];
  const attrs = { groups: 2, eps: 1e-5, activation: "elu", plus: false } as const;
  return checkOp({
    op: (x, gamma, beta) => groupNorm(x, 2, { gamma, beta, activation: "elu" }),
    oracle: (x, gamma, beta) => reshape(oracle.norm(reshape(x, image), attrs, gamma, beta, null), shape),
    inputs: [normal(shape, 1), uniform(0.5, 2)([c], 2), normal([c], 3)],
    seed: 4,
    terms: 60,
  });
});

test("gamma and beta may be one tensor", () =>
  checkOp({
    op: (x, g) => instanceNorm(x, { gamma: g, beta: g, activation: "silu" }),
    oracle: (x, g) => oracle.norm(x, { groups: 3, eps: 1e-5, activation: "silu", plus: false }, g, g, null),
    inputs: [normal([2, 3, 3, 4], 1), uniform(0.5, 2)([3], 2)],
    seed: 3,
    terms: 12,
  }));

test.each([[["gamma", "alpha", "beta"]], [["beta", "gamma"]], [["alpha"]]] as const)(
  "parameters side by side in a row for each sample: %s",
  async (order) => {
    const [n, c] = [3, 5];
    const plus = (order as readonly AffineName[]).includes("alpha");
    const attrs = { groups: c, eps: 1e-5, activation: "silu", plus } as const;
    const part = (rows: Array64, name: AffineName) => {
      const at = (order as readonly AffineName[]).indexOf(name);
      return at < 0 ? null : slice(rows, [0, at * c], [n, c]);
    };
    await checkOp({
      op: (x, values) =>
        (plus ? instanceNormPlus : instanceNorm)(x!, {
          rows: { values: values!, order },
          activation: "silu",
        }),
      oracle: (x, rows) =>
        oracle.norm(x!, attrs, part(rows!, "gamma"), part(rows!, "beta"), part(rows!, "alpha")),
      inputs: [normal([n, c, 3, 4], 1), normal([n, order.length * c], 2)],
      seed: 3,
      terms: 36,
    });
  },
);

test.each([true, false])("rows of a table by label, subgroups: %s", async (subgroups) => {
  const [n, c, rows] = [4, 5, 3];
  const at = labels([n], rows, 7); // some twice
  const given = upload(at, "i32");
  await choosingFor({ subgroups: subgroups && engine.hardware.subgroups }, () =>
    checkOp({
      op: (x, table) =>
        instanceNormPlus(x!, {
          rows: { values: table!, order: ["gamma", "alpha", "beta"], labels: given },
          activation: "silu",
        }),
      oracle: (x, table) => {
        const values = lookedUp(table!, at);
        const [gamma, alpha, beta] = [0, 1, 2].map((k) => slice(values, [0, k * c], [n, c])) as [
          Array64,
          Array64,
          Array64,
        ];
        const attrs = { groups: c, eps: 1e-5, activation: "silu", plus: true } as const;
        return oracle.norm(x!, attrs, gamma, beta, alpha);
      },
      inputs: [normal([n, c, 3, 4], 1), normal([rows, 3 * c], 2)],
      seed: 3,
      terms: 36,
    }),
  );
  given.dispose();
});

describe("messages", () => {
  const x = engine.ones([2, 4, 3, 3]);
  const eight = engine.ones([8]);

  test("dtype and rank", () => {
    expect(() => instanceNorm(engine.ones([2, 4, 3, 3], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got dtype i32, expected f32]`,
    );
    expect(() => groupNorm(engine.ones([4]), 2)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: groupNorm: got x [4], expected [n,c,...]]`,
    );
  });
  test("groups", () => {
    expect(() => groupNorm(x, 3)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: groupNorm: got 3 groups for 4 channels, expected a divisor of 4]`,
    );
    expect(() => groupNorm(x, 0)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: groupNorm: got 0 groups for 4 channels, expected a divisor of 4]`,
    );
  });
  test("rows", () => {
    const rows = (shape: readonly number[], ...order: AffineName[]) => ({
      rows: { values: engine.ones(shape), order },
    });
    expect(() => instanceNorm(x, rows([2, 7], "gamma", "beta"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got rows [2,7] of gamma, beta for x [2,4,3,3], expected [2,8]]`,
    );
    const looked = (shape: readonly number[], labels: Tensor) => ({
      rows: { values: engine.ones(shape), order: ["gamma", "beta"] as const, labels },
    });
    expect(() =>
      instanceNorm(x, looked([5, 7], engine.zeros([2], "i32"))),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got rows [5,7] of gamma, beta for x [2,4,3,3], expected [rows,8]]`,
    );
    expect(() =>
      instanceNorm(x, looked([5, 8], engine.zeros([3], "i32"))),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got labels i32 [3] for x [2,4,3,3], expected i32 [2]]`,
    );
    expect(() => instanceNorm(x, looked([5, 8], engine.zeros([2])))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got labels f32 [2] for x [2,4,3,3], expected i32 [2]]`,
    );
    expect(() => instanceNorm(x, rows([2, 8], "gamma", "alpha"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got rows of gamma, alpha, expected each of gamma, beta at most once]`,
    );
    expect(() => instanceNormPlus(x, rows([2, 8], "beta", "beta"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNormPlus: got rows of beta, beta, expected each of gamma, beta, alpha at most once]`,
    );
    expect(() =>
      instanceNorm(x, { ...rows([2, 4], "gamma"), beta: engine.ones([4]) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got rows beside single parameters, expected either]`,
    );
  });
  test("eps", () => {
    expect(() => instanceNormPlus(x, { eps: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNormPlus: got eps 0, expected a positive number]`,
    );
    expect(() => instanceNormPlus(x, { eps: Number.NaN })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNormPlus: got eps NaN, expected a positive number]`,
    );
  });
  test("the activation", () => {
    expect(() => instanceNorm(x, { activation: "gelu" as "elu" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got activation gelu, expected one of none, elu, silu, relu, leakyRelu; did you mean elu?]`,
    );
    expect(() => instanceNorm(x, { activation: "swish" as "silu" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got activation swish, expected one of none, elu, silu, relu, leakyRelu]`,
    );
    expect(() => activate(x, "relu6" as "relu")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: activate: got activation relu6, expected one of none, elu, silu, relu, leakyRelu; did you mean relu?]`,
    );
  });
  test("alpha, which only ++ has", () => {
    const options: NormOptions & { alpha: Tensor } = { alpha: engine.ones([4]) };
    expect(() => instanceNorm(x, options)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got alpha, which only instanceNormPlus takes]`,
    );
    expect(() => groupNorm(x, 2, options)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: groupNorm: got alpha, which only instanceNormPlus takes]`,
    );
  });
  test("parameters", () => {
    expect(() => instanceNorm(x, { gamma: eight })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got a parameter [8] for x [2,4,3,3], expected all [4] or all [2,4]]`,
    );
    expect(() =>
      instanceNormPlus(x, { gamma: engine.ones([4]), alpha: engine.ones([2, 4]) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNormPlus: got a parameter [2,4] for x [2,4,3,3], expected all [4] or all [2,4]]`,
    );
    expect(() => instanceNorm(x, { beta: engine.ones([3, 4]) })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: instanceNorm: got a parameter [3,4] for x [2,4,3,3], expected all [4] or all [2,4]]`,
    );
  });
});
