/** The classifier of a mixture is known: log p(component | x) in closed form. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { add, div, log, mul, reshape, square, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { logProbGrad } from "../../models/classifier.ts";
import { type ReferenceCase, readCases } from "../reference/case.ts";
import { judge } from "../reference/compare.ts";
import { engine } from "../support/engine.ts";

const folder = join(import.meta.dirname, "../../../shared/reference");
const present = existsSync(join(folder, "index.json"));
const cases = present ? readCases(folder).filter((c) => c.name.startsWith("class_conditional_")) : [];

/** What becomes of data at time t: alpha x plus noise of this variance. */
function marginal({ attrs }: ReferenceCase, t: number): { alpha: number; variance: number } {
  if (attrs.string("sde") === "vesde") {
    const [least, most] = [attrs.number("sigma_min"), attrs.number("sigma_max")];
    return { alpha: 1, variance: (least * (most / least) ** t) ** 2 };
  }
  const [least, most] = [attrs.number("beta_min"), attrs.number("beta_max")];
  const logAlpha = (-(t ** 2) * (most - least)) / 4 - (t * least) / 2;
  return { alpha: Math.exp(logAlpha), variance: -Math.expm1(2 * logAlpha) };
}

/** log w_k + log N(x; alpha m_k, (alpha^2 s_k^2 + v) I) for every component k: x [n,...] -> [n,k]. */
function logJoint(c: ReferenceCase, x: Tensor, { alpha, variance }: ReturnType<typeof marginal>): Tensor {
  const values = (name: string) => c.tensors.get(name)!.data as Float32Array<ArrayBuffer>;
  const weights = engine.tensor(values("gmm.weights"));
  const stds = engine.tensor(values("gmm.stds"));
  const means = engine.tensor(values("gmm.means"), [1, weights.size, x.size / x.dim(0)]);
  const spread = add(mul(square(stds), alpha ** 2), variance); // [k]
  const distance = sum(square(sub(reshape(x, [x.dim(0), 1, -1]), mul(means, alpha))), { axis: 2 }); // [n,k]
  const normalizer = sub(log(weights), mul(log(spread), means.dim(2) / 2));
  return sub(normalizer, div(distance, mul(spread, 2)));
}

describe.skipIf(!present)("the gradient of log p(component | x)", () => {
  test.each(cases.map((c) => [c.name, c] as const))("is the published one: %s", async (_, c) => {
    const probe = c.tensors.get("in.probe")!;
    const gradient = engine.scope(() => {
      const x = engine.tensor(probe.data as Float32Array<ArrayBuffer>, probe.shape);
      const labels = engine.tensor(c.tensors.get("in.labels")!.data as Int32Array<ArrayBuffer>);
      return logProbGrad((x) => logJoint(c, x, marginal(c, 0.5)), x, labels, labels);
    });
    const name = "out.probe_classifier_gradient";
    const results = new Map([[name, await gradient.data()]]);
    gradient.dispose();
    const truth = new Map([[name, c.tensors.get(name)!.data]]);
    const checks = c.checks.filter(({ group }) => group === name);
    expect(checks.length).toBe(1);
    for (const { share, detail } of judge(checks, truth, results))
      expect(share, detail).toBeLessThanOrEqual(1);
  });

  test("there are two such cases", () => {
    expect(cases.length).toBe(2);
  });
});

/** Logits 1e4 x_k of x [n,k]. */
const steep = (x: Tensor): Tensor => mul(x, 1e4);

test("logits far apart give no infinity", async () => {
  const gradient = engine.scope(() => {
    const x = engine.tensor([1, 0, -1, 0, 1, 0], [2, 3]);
    return logProbGrad(steep, x, x, engine.tensor(Int32Array.of(0, 2)));
  });
  expect([...(await gradient.data())]).toEqual([0, 0, 0, 0, -1e4, 1e4]);
  gradient.dispose();
});

test("a label that is no class gives NaN for its sample only", async () => {
  const gradient = engine.scope(() => {
    const x = engine.tensor([1, 0, -1, 0, 1, 0], [2, 3]);
    return logProbGrad(steep, x, x, engine.tensor(Int32Array.of(3, 2)));
  });
  expect([...(await gradient.data())]).toEqual([Number.NaN, Number.NaN, Number.NaN, 0, -1e4, 1e4]);
  gradient.dispose();
});
