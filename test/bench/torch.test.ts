import { afterAll, expect, test } from "vitest";
import { exchangeFile } from "../../bench/torch/exchange.ts";
import { openSubject } from "../../bench/torch/network.ts";
import { SNR } from "../../bench/torch/sampling-step.ts";
import { Work } from "../../bench/torch/work.ts";
import { grad } from "../../engine/autograd.ts";
import { mean, square } from "../../engine/ops/index.ts";
import { array64 } from "../../engine/oracle/array.ts";
import { readSafetensors } from "../../engine/safetensors.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const seed = 3;
const tiny = { nf: 4, chMult: [1, 2], numResBlocks: 1, attnResolutions: [4] };
const subject = openSubject(engine, { seed, model: tiny, size: 8 });
const work = new Work(engine, subject, { batch: 2, seed });
afterAll(() => subject.network.dispose());

test("the output depends on every parameter but the keys' bias, which softmax takes out", async () => {
  const parameters = [...subject.network.parameters()];
  const gradients = engine.scope(() =>
    grad(
      mean(square(subject.score(work.x, work.sigma))),
      parameters.map(([, t]) => t),
    ),
  );
  const values = await engine.readAll(gradients);
  const untouched = parameters.flatMap(([name], i) => (values[i]!.every((v) => v === 0) ? [name] : []));
  for (const t of gradients) t.dispose();
  expect(untouched.filter((name) => !name.endsWith("NIN_1.b"))).toEqual([]);
  for (const [, t] of parameters) {
    const parameter = await t.data();
    expect(parameter.some((v) => v === 0)).toBe(false);
    expect(parameter.length === 1 || new Set(parameter).size > 1).toBe(true);
  }
});

test("the file holds the network's inputs and outputs, and x after the published step", async () => {
  const { tensors, metadata } = readSafetensors(await exchangeFile(engine, subject, work));
  const at = (name: string) => [...(tensors.get(name)!.data as Float32Array)];
  const { config, step } = JSON.parse(metadata.case!);
  expect(config).toMatchObject({
    nf: 4,
    ch_mult: [1, 2],
    attn: [4],
    size: 8,
    sigma_min: 0.01,
    num_scales: 1000,
  });
  expect(step).toEqual({ t: work.step.t, snr: SNR });
  expect([...tensors.keys()].filter((name) => name.startsWith("param."))).toHaveLength(
    [...subject.network.named()].length,
  );

  const sigma = (t: number) => 0.01 * (50 / 0.01) ** t;
  const i = Math.floor(step.t * 999);
  const diffusion = Math.sqrt(sigma(i / 999) ** 2 - sigma((i - 1) / 999) ** 2);
  const shape = [...work.x.shape];
  const size = shape.slice(1).reduce((a, b) => a * b);
  const scoreOf = async (x: number[]) => {
    const t = engine.noGrad(() =>
      engine.scope(() => subject.score(engine.tensor(x, shape), engine.full([2], sigma(step.t)))),
    );
    const values = [...(await t.data())];
    t.dispose();
    return values;
  };
  const norm = (v: number[]) =>
    (Math.hypot(...v.slice(0, size)) + Math.hypot(...v.slice(size))) / 2; /* of two samples */
  const x = at("in.x");
  const [z1, z2] = [at("noise.000"), at("noise.001")];
  const s1 = await scoreOf(x);
  const e = 2 * (SNR * (norm(z1) / norm(s1))) ** 2;
  const corrected = x.map((v, k) => v + e * s1[k]! + Math.sqrt(2 * e) * z1[k]!);
  const s2 = await scoreOf(corrected);
  const parts = x.map((v, k) => [
    v,
    e * s1[k]!,
    Math.sqrt(2 * e) * z1[k]!,
    diffusion ** 2 * s2[k]!,
    diffusion * z2[k]!,
  ]);
  const summed = (f: (v: number) => number) =>
    array64(
      shape,
      parts.map((terms) => terms.reduce((sum, v) => sum + f(v), 0)),
    );
  expectNear(at("out.step"), summed(Number), { terms: 5, magnitude: summed(Math.abs) }, "x after a step");
});

test("recorded work counts its kernels and operations, and keeps the chain finite", async () => {
  const network = work.record("f32", "network");
  const step = work.record("f32", "step");
  expect(step.kernels).toBeGreaterThan(2 * network.kernels);
  expect(step.flops).toBeGreaterThan(2 * network.flops);
  expect(step.flops).toBeLessThan(2.1 * network.flops);
  const { run } = work.caseOf(step);
  run(engine);
  run(engine);
  await work.requireFinite();
  for (const { capture } of [network, step]) capture.dispose();
});
