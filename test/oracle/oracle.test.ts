import { describe, expect, test } from "vitest";
import {
  type Array64,
  array,
  attention,
  binary,
  conv2d,
  embedding,
  matmul,
  norm,
  philox,
  pool,
  reduce,
  resize,
  shape,
  softmax,
  unary,
  updates,
  upfirdn2d,
} from "../../engine/oracle/index.ts";
import * as gradients from "./gradients.ts";
import { add, draw, expectAdjoint, expectNear, mul, numericGrad } from "./measure.ts";
import { normGrad } from "./norm-gradients.ts";

const { array64, map, scalar, zeros } = array;

// --- Arrays, elementwise ops, reductions ----------------------------------------------------------

describe("arrays", () => {
  test("strides and broadcasting follow NumPy", () => {
    expect(array.strides([2, 3, 4])).toEqual([12, 4, 1]);
    expect(array.broadcastShapes([3, 1, 5], [4, 1])).toEqual([3, 4, 5]);
    expect(() => array.broadcastShapes([3], [4])).toThrow(RangeError);
    expect(() => array64([2, 2], [1, 2, 3])).toThrow(RangeError);
  });

  test("shape ops move elements", () => {
    const x = array64([2, 3], [1, 2, 3, 4, 5, 6]);
    expect(shape.permute(x, [1, 0])).toEqual(array64([3, 2], [1, 4, 2, 5, 3, 6]));
    expect(shape.flip(x, [-1])).toEqual(array64([2, 3], [3, 2, 1, 6, 5, 4]));
    expect(shape.slice(x, [0, 1], [2, 2])).toEqual(array64([2, 2], [2, 3, 5, 6]));
    expect(
      shape.pad(
        x,
        [
          [0, 1],
          [1, -1],
        ],
        9,
      ),
    ).toEqual(array64([3, 3], [9, 1, 2, 9, 4, 5, 9, 9, 9]));
    expect(shape.concat([x, shape.slice(x, [0, 0], [2, 1])], 1)).toEqual(
      array64([2, 4], [1, 2, 3, 1, 4, 5, 6, 4]),
    );
    expect(shape.broadcastTo(array64([2, 1], [1, 2]), [2, 2, 2]).data).toEqual(
      Float64Array.of(1, 1, 2, 2, 1, 1, 2, 2),
    );
    expect(() => shape.broadcastTo(x, [3])).toThrow(RangeError);
  });

  test("permute, pad and slice undo themselves", () => {
    const x = draw([2, 3, 4], 1);
    expect(shape.permute(shape.permute(x, [2, 0, 1]), [1, 2, 0])).toEqual(x);
    const pads = [
      [1, 2],
      [0, 1],
      [3, 0],
    ] as const;
    expect(shape.slice(shape.pad(x, pads), [1, 0, 3], x.shape)).toEqual(x);
  });
});

describe("elementwise", () => {
  test.each(Object.keys(gradients.unaryGrad) as gradients.UnaryGradName[])("derivative of %s", (name) => {
    const x = array64([9], [-40, -3, -1, -0.3, -1e-3, 1e-3, 0.5, 2, 40]);
    const attrs = { alpha: 1.3, slope: 0.2 };
    const numeric = numericGrad(
      (at) => unary.applyUnary(name, at, attrs),
      x,
      map(x, () => 1),
    );
    expectNear(gradients.applyUnaryGrad(name, x, attrs), numeric, 1e-8);
  });

  test("binary ops broadcast, comparisons give 1 or 0", () => {
    const a = array64([2, 1], [1, 4]);
    const b = array64([3], [1, 2, 5]);
    expect(binary.applyBinary("sub", a, b)).toEqual(array64([2, 3], [0, -1, -4, 3, 2, -1]));
    expect(binary.applyBinary("greaterEqual", a, b).data).toEqual(Float64Array.of(1, 0, 0, 1, 1, 0));
    expect(binary.where(array64([3], [1, 0, 2]), a, scalar(7)).data).toEqual(
      Float64Array.of(1, 7, 1, 4, 7, 4),
    );
  });
});

describe("reductions", () => {
  const x = array64([2, 3], [1, 5, 5, -2, 0, -7]);

  test("over one axis, all axes, kept and dropped", () => {
    expect(reduce.sum(x, [0])).toEqual(array64([3], [-1, 5, -2]));
    expect(reduce.mean(x, [-1], true)).toEqual(array64([2, 1], [11 / 3, -3]));
    expect(reduce.max(x, null)).toEqual(scalar(5));
    expect(reduce.min(x, [0, 1], true)).toEqual(array64([1, 1], [-7]));
    expect(reduce.sum(x, [])).toEqual(x);
  });

  test("logsumexp does not overflow", () => {
    const large = map(x, (value) => value + 1000);
    const expected = map(reduce.logsumexp(x, [1]), (value) => value + 1000);
    expectNear(reduce.logsumexp(large, [1]), expected, 1e-15);
  });
});

// --- Linear pairs ---------------------------------------------------------------------------------

describe("adjoints", () => {
  const windows = [
    { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1], kernel: [3, 3] },
    { stride: [2, 3], padding: [0, 2, 1, 0], dilation: [1, 2], kernel: [3, 2] },
    { stride: [1, 2], padding: [-1, 3, 2, -2], dilation: [2, 1], kernel: [2, 3] },
  ] as const;

  test.each(windows)("conv2d and both gradients, %j", ({ kernel, ...attrs }) => {
    const x = draw([2, 3, 7, 8], 2);
    const w = draw([4, 3, ...kernel], 3);
    const forward = (at: Array64) => conv2d.conv2d(at, w, null, attrs);
    expectAdjoint(forward, (dy) => conv2d.conv2dInputGrad(dy, w, { ...attrs, inputSize: [7, 8] }), x);
    expectAdjoint(
      (at) => conv2d.conv2d(x, at, null, attrs),
      (dy) => conv2d.conv2dWeightGrad(dy, x, { ...attrs, kernelSize: kernel }),
      w,
    );
  });

  test("dilation is a kernel with holes, stride a choice of outputs, each along its own axis", () => {
    const x = draw([2, 3, 9, 8], 37);
    const w = draw([4, 3, 3, 2], 38);
    const holed = zeros([4, 3, 5, 4]); // rows 2 apart, columns 3 apart
    array.forEachIndex(w.shape, (index, flat) => {
      const [co, ci, i, j] = index as [number, number, number, number];
      holed.data[((co * 3 + ci) * 5 + 2 * i) * 4 + 3 * j] = w.data[flat]!;
    });
    const padding = [2, 1, 0, 3] as const;
    const dense = conv2d.conv2d(x, holed, null, { stride: [1, 1], dilation: [1, 1], padding }); // [2,4,8,8]
    const expected = zeros([2, 4, 3, 4]); // every third row, every second column
    array.forEachIndex(expected.shape, (index, flat) => {
      const [n, co, oh, ow] = index as [number, number, number, number];
      expected.data[flat] = dense.data[((n * 4 + co) * 8 + 3 * oh) * 8 + 2 * ow]!;
    });
    expectNear(conv2d.conv2d(x, w, null, { stride: [3, 2], dilation: [2, 3], padding }), expected, 1e-14);
  });

  test("a negative padding is a crop, an asymmetric one a pad", () => {
    const x = draw([1, 2, 6, 7], 4);
    const w = draw([3, 2, 3, 3], 5);
    const padding = [-1, 2, 1, -2] as const;
    const attrs = { stride: [2, 1], dilation: [1, 1] } as const;
    const padded = shape.pad(x, [
      [0, 0],
      [0, 0],
      [-1, 2],
      [1, -2],
    ]);
    const expected = conv2d.conv2d(padded, w, null, { ...attrs, padding: [0, 0, 0, 0] });
    expectNear(conv2d.conv2d(x, w, null, { ...attrs, padding }), expected, 1e-14);
  });

  test.each([true, false])("avgPool2d, padding counted: %s", (countIncludePad) => {
    const attrs = { kernel: [3, 2], stride: [2, 1], padding: [1, 2, 0, 1], countIncludePad } as const;
    const back = (dy: Array64) => pool.avgPool2dGrad(dy, { ...attrs, inputSize: [5, 6] });
    expectAdjoint((x) => pool.avgPool2d(x, attrs), back, draw([2, 2, 5, 6], 6));

    const ones = pool.avgPool2d(array64([1, 1, 5, 6], Array(30).fill(1)), attrs);
    expect(ones.shape).toEqual([1, 1, 3, 6]);
    expect(ones.data[0]).toBeCloseTo(countIncludePad ? 4 / 6 : 1, 14);
  });

  test("pools are the mean and the maximum over the taps of a convolution", () => {
    const x = draw([1, 1, 5, 6], 39);
    const window = { kernel: [3, 2], stride: [2, 1], padding: [1, 2, 0, 1] } as const;
    const tap = (image: Array64, at: number, padding: readonly [number, number, number, number]) => {
      const kernel = array64(
        [1, 1, 3, 2],
        [0, 1, 2, 3, 4, 5].map((i) => (i === at ? 1 : 0)),
      );
      return conv2d.conv2d(image, kernel, null, { stride: [2, 1], dilation: [1, 1], padding });
    };
    const taps = (image: Array64, padding: readonly [number, number, number, number]) =>
      [0, 1, 2, 3, 4, 5].map((at) => tap(image, at, padding));

    const total = taps(x, window.padding).reduce(add);
    expectNear(
      pool.avgPool2d(x, { ...window, countIncludePad: true }),
      map(total, (value) => value / 6),
      1e-14,
    );
    const low = shape.pad(
      x,
      [
        [0, 0],
        [0, 0],
        [1, 2],
        [0, 1],
      ],
      -100,
    );
    const highest = taps(low, [0, 0, 0, 0]).reduce((a, b) => binary.applyBinary("maximum", a, b));
    expect(pool.maxPool2d(x, window).y).toEqual(highest);
  });

  test("maxPool2d: the first maximum wins, padding never", () => {
    const x = array64([1, 1, 2, 3], [-4, -2, -2, -9, -2, -5]);
    const attrs = { kernel: [2, 2], stride: [1, 1], padding: [1, 0, 0, 1] } as const;
    const { y, index } = pool.maxPool2d(x, attrs);
    expect(y.data).toEqual(Float64Array.of(-2, -2, -2, -2, -2, -2));
    expect(index.data).toEqual(Float64Array.of(1, 1, 2, 1, 1, 2));

    const far = draw([2, 3, 5, 4], 7);
    const won = pool.maxPool2d(far, attrs);
    const dy = draw(won.y.shape, 8);
    const numeric = numericGrad((at) => pool.maxPool2d(at, attrs).y, far, dy);
    expectNear(pool.maxPool2dGrad(dy, won.index, [5, 4]), numeric, 1e-8);
  });

  test.each([
    [
      [3, 5],
      [8, 9],
    ],
    [
      [8, 9],
      [5, 4],
    ],
    [
      [1, 4],
      [3, 1],
    ],
  ] as const)("resize %j -> %j", (inputSize, size) => {
    const x = draw([2, 2, ...inputSize], 9);
    for (const alignCorners of [true, false]) {
      const attrs = { size, alignCorners };
      const back = (dy: Array64) => resize.resizeBilinearGrad(dy, { ...attrs, inputSize });
      expectAdjoint((at) => resize.resizeBilinear(at, attrs), back, x);
    }
    const back = (dy: Array64) => resize.resizeNearestGrad(dy, { inputSize });
    expectAdjoint((at) => resize.resizeNearest(at, { size }), back, x);
  });

  test("bilinear with half-pixel centres, as PyTorch documents it", () => {
    const x = array64([1, 1, 1, 4], [1, 2, 3, 4]);
    const half = (width: number) => resize.resizeBilinear(x, { size: [1, width], alignCorners: false }).data;
    expect(half(8)).toEqual(Float64Array.of(1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4));
    expect(half(2)).toEqual(Float64Array.of(1.5, 3.5));
    expect(resize.resizeNearest(x, { size: [1, 6] }).data).toEqual(Float64Array.of(1, 1, 2, 3, 3, 4));
  });

  const filters = [
    { up: [2, 2], down: [1, 1], pad: [2, 1, 2, 1] },
    { up: [1, 1], down: [3, 2], pad: [1, 1, 0, 2] },
    { up: [2, 3], down: [3, 2], pad: [-1, 3, 2, -2] },
  ] as const;

  test.each(filters)("upfirdn2d, %j", (attrs) => {
    const kernel = draw([4, 3], 10);
    const back = (dy: Array64) => gradients.upfirdn2dGrad(dy, kernel, { ...attrs, inputSize: [5, 7] });
    expectAdjoint((x) => upfirdn2d.upfirdn2d(x, kernel, attrs), back, draw([2, 2, 5, 7], 11));
  });

  test.each(filters)("upfirdn2d is zero-stuffing, padding, filtering, striding, %j", ({ up, down, pad }) => {
    const x = draw([1, 1, 5, 7], 12);
    const kernel = draw([4, 3], 13);
    const stuffed = zeros([1, 1, 5 * up[0], 7 * up[1]]);
    x.data.forEach((value, i) => {
      stuffed.data[Math.floor(i / 7) * up[0] * 7 * up[1] + (i % 7) * up[1]] = value;
    });
    const w = shape.reshape(shape.flip(kernel, [0, 1]), [1, 1, 4, 3]);
    const expected = conv2d.conv2d(stuffed, w, null, { stride: down, padding: pad, dilation: [1, 1] });
    expectNear(upfirdn2d.upfirdn2d(x, kernel, { up, down, pad }), expected, 1e-14);
  });

  test("embedding: repeated labels add up, foreign ones are refused", () => {
    const labels = array64([2, 2], [3, 0, 3, 1]);
    const back = (dy: Array64) => embedding.embeddingGrad(dy, labels, 4);
    expectAdjoint((table) => embedding.embedding(table, labels), back, draw([4, 3], 14));
    expect(() => embedding.embedding(draw([3, 3], 14), labels)).toThrow(/label 3 of a table with 3 rows/);
  });
});

describe("matmul", () => {
  test("transposes and broadcast batches", () => {
    const a = draw([2, 1, 4, 3], 15);
    const b = draw([5, 3, 6], 16);
    const y = matmul.matmul(a, b);
    expect(y.shape).toEqual([2, 5, 4, 6]);
    const at = shape.permute(a, [0, 1, 3, 2]);
    const bt = shape.permute(b, [0, 2, 1]);
    expect(matmul.matmul(at, bt, { transposeA: true, transposeB: true })).toEqual(y);

    const products = mul(shape.reshape(a, [2, 1, 4, 3, 1]), shape.reshape(b, [5, 1, 3, 6]));
    expectNear(y, reduce.sum(products, [-2]), 1e-14);
    expect(() => matmul.matmul(a, bt)).toThrow(RangeError);
  });
});

// --- Nonlinear gradients --------------------------------------------------------------------------

describe("gradients against central differences", () => {
  test("softmax, logSoftmax, crossEntropy", () => {
    const x = draw([3, 5], 17);
    const dy = draw([3, 5], 18);
    const labels = array64([3], [4, 0, 2]);
    expectNear(gradients.softmaxGrad(softmax.softmax(x), dy), numericGrad(softmax.softmax, x, dy), 1e-9);
    expectNear(
      gradients.logSoftmaxGrad(softmax.logSoftmax(x), dy),
      numericGrad(softmax.logSoftmax, x, dy),
      1e-9,
    );
    const loss = (at: Array64) => softmax.crossEntropy(at, labels);
    expectNear(gradients.crossEntropyGrad(x, labels), numericGrad(loss, x, scalar(1)), 1e-9);
  });

  test("attention, with other numbers of keys and value channels", () => {
    const [q, k, v, dy] = [
      draw([2, 3, 4], 19),
      draw([2, 3, 5], 20),
      draw([2, 6, 5], 21),
      draw([2, 6, 4], 22),
    ];
    const scale = 0.7;
    const { dq, dk, dv } = gradients.attentionGrad(q, k, v, dy, scale);
    expectNear(
      dq,
      numericGrad((at) => attention.attention(at, k, v, scale), q, dy),
      1e-8,
    );
    expectNear(
      dk,
      numericGrad((at) => attention.attention(q, at, v, scale), k, dy),
      1e-8,
    );
    expectNear(
      dv,
      numericGrad((at) => attention.attention(q, k, at, scale), v, dy),
      1e-8,
    );
  });

  test("attention is the sum it says it is", () => {
    const [q, k, v] = [draw([1, 2, 3], 23), draw([1, 2, 4], 24), draw([1, 2, 4], 25)];
    const y = zeros([1, 2, 3]);
    for (let i = 0; i < 3; i++) {
      const scores = [0, 1, 2, 3].map(
        (j) => 0.5 * (q.data[i]! * k.data[j]! + q.data[3 + i]! * k.data[4 + j]!),
      );
      const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
      for (let c = 0; c < 2; c++) {
        scores.forEach((s, j) => {
          y.data[c * 3 + i]! += (Math.exp(s) / total) * v.data[c * 4 + j]!;
        });
      }
    }
    expectNear(attention.attention(q, k, v, 0.5), y, 1e-14);
  });

  const plain = { eps: 1e-5, activation: "none", plus: false } as const;
  const variants: norm.NormAttrs[] = [
    { ...plain, groups: 4 },
    { ...plain, groups: 2, activation: "silu", eps: 1e-2 },
    { ...plain, groups: 1, activation: "elu" },
    { ...plain, groups: 4, plus: true, activation: "elu" },
    { ...plain, groups: 2, plus: true, activation: "leakyRelu", slope: 0.2 },
    { ...plain, groups: 4, meanSubtract: false, unbiased: true, activation: "relu" },
    { ...plain, groups: 2, meanSubtract: false, plus: true },
  ];

  test.each(variants)("norm, %j", (attrs) => {
    const x = draw([2, 4, 2, 3], 26);
    const dy = draw(x.shape, 27);
    for (const dims of [[4], [2, 4]]) {
      const [gamma, beta, alpha] = [draw(dims, 28), draw(dims, 29), draw(dims, 30)];
      const grads = normGrad(x, dy, attrs, gamma, beta, alpha);
      const numeric = (f: (at: Array64) => Array64, at: Array64) => numericGrad(f, at, dy, 1e-6);
      expectNear(
        grads.dx,
        numeric((at) => norm.norm(at, attrs, gamma, beta, alpha), x),
        1e-7,
      );
      expectNear(
        grads.dgamma as Array64,
        numeric((at) => norm.norm(x, attrs, at, beta, alpha), gamma),
        1e-7,
      );
      expectNear(
        grads.dbeta as Array64,
        numeric((at) => norm.norm(x, attrs, gamma, at, alpha), beta),
        1e-7,
      );
      expectNear(
        grads.dalpha as Array64,
        numeric((at) => norm.norm(x, attrs, gamma, beta, at), alpha),
        1e-7,
      );
    }
    const { dx, dgamma, dbeta, dalpha } = normGrad(x, dy, attrs, null, null, null);
    expectNear(
      dx,
      numericGrad((at) => norm.norm(at, attrs, null, null, null), x, dy, 1e-6),
      1e-7,
    );
    expect([dgamma, dbeta, dalpha]).toEqual([null, null, null]);
  });

  test("InstanceNorm++ of a single channel is instance norm", () => {
    const x = draw([2, 1, 3, 3], 31);
    const [attrs, dy] = [{ ...plain, groups: 1 }, draw(x.shape, 32)];
    const plus = { ...attrs, plus: true };
    const alpha = array64([1], [0.7]);
    expect(norm.norm(x, plus, null, null, alpha)).toEqual(norm.norm(x, attrs, null, null, null));
    expect(normGrad(x, dy, plus, null, null, alpha).dx).toEqual(normGrad(x, dy, attrs, null, null, null).dx);
  });

  test("dsmLoss", () => {
    const [score, z, sigma] = [draw([3, 2, 2], 33), draw([3, 2, 2], 34), array64([3], [0.1, 1, 5])];
    for (const annealPower of [0, 1, 2]) {
      const loss = (at: Array64) => updates.dsmLoss(at, z, sigma, { annealPower });
      const numeric = numericGrad(loss, score, scalar(1));
      expectNear(gradients.dsmLossGrad(score, z, sigma, { annealPower }), numeric, 1e-8);
    }
    const target = map(z, (noise, i) => -noise / sigma.data[Math.floor(i / 4)]!);
    expect(updates.dsmLoss(target, z, sigma, { annealPower: 2 }).data[0]).toBe(0);
  });
});

// --- Random numbers and updates -------------------------------------------------------------------

describe("philox", () => {
  test.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[-1, -1, -1, -1], [-1, -1], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ],
  ] as const)("Random123 known answer for counter %j, key %j", (counter, key, words) => {
    const hex = philox.philox4x32(counter, key).map((word) => word.toString(16).padStart(8, "0"));
    expect(hex.join(" ")).toBe(words);
  });

  test("element e of sample n is lane e % 4 of counter [e / 4, n, step, purpose]", () => {
    const attrs = { seed: [7, 8], step: 5, purpose: 3 } as const;
    const z = philox.randomNormal([3, 2, 3], attrs);
    const u = philox.randomUniform([3, 2, 3], attrs);
    const words = philox.philox4x32([1, 2, 5, 3], [7, 8]);
    const radius = Math.sqrt(-2 * Math.log(((words[0] >>> 8) + 1) / 2 ** 24));
    expect(z.data[2 * 6 + 5]).toBe(radius * Math.sin((2 * Math.PI * (words[1] >>> 8)) / 2 ** 24));
    expect(u.data[2 * 6 + 5]).toBe((words[1] >>> 8) / 2 ** 24);
  });

  test("a draw does not depend on the batch it is part of", () => {
    const attrs = { seed: [1, 2], step: 0, purpose: 0 } as const;
    const whole = philox.randomNormal([5, 7], attrs);
    const part = philox.randomNormal([2, 7], { ...attrs, sampleOffset: 3 });
    expect(part).toEqual(shape.slice(whole, [3, 0], [2, 7]));
  });

  test("moments within five standard errors", () => {
    const size = 100_000;
    const moment = (x: Array64, power: number) =>
      reduce.mean(
        map(x, (value) => value ** power),
        null,
      ).data[0]!;
    const z = draw([10, size / 10], 35);
    [0, 1, 0, 3].forEach((expected, i) => {
      const variance = [1, 2, 15, 96][i]!;
      expect(Math.abs(moment(z, i + 1) - expected)).toBeLessThan(5 * Math.sqrt(variance / size));
    });
    const u = philox.randomUniform([size], { seed: [36, 0], step: 0, purpose: 0 });
    expect(Math.abs(moment(u, 1) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / size));
    expect(u.data.every((value) => value >= 0 && value < 1)).toBe(true);
  });
});

describe("updates", () => {
  test("Langevin and perturbation", () => {
    const [x, s, z] = [array64([2, 1], [1, 2]), array64([2, 1], [10, 20]), array64([2, 1], [100, -100])];
    expect(updates.linearUpdate(x, s, z, { keep: 2, pull: 0.5, noise: 0.01 }).data).toEqual(
      Float64Array.of(8, 13),
    );
    expect(updates.dsmPerturb(x, array64([2], [0.5, 2]), z).data).toEqual(Float64Array.of(51, -198));
  });

  test("the ratio of mean norms", () => {
    const [z, s] = [array64([2, 2], [3, 4, 0, 1]), array64([2, 2], [0, 1, 1, 0])];
    expect(updates.normRatio(z, s)).toBeCloseTo(9, 14);
    expect([...updates.normRatios(z, s).data]).toEqual([25, 1]);
  });

  test("sgd with momentum and weight decay, by hand", () => {
    const attrs = { lr: 0.1, momentum: 0.5, weightDecay: 0.1 };
    const grad = array64([1], [1]);
    const first = updates.sgd({ param: array64([1], [2]), grad, buffer: zeros([1]) }, attrs);
    expect(first.buffer.data[0]).toBeCloseTo(1.2, 14);
    expect(first.param.data[0]).toBeCloseTo(1.88, 14);
    const second = updates.sgd({ ...first, grad }, attrs);
    expect(second.buffer.data[0]).toBeCloseTo(0.6 + 1.188, 14);
    expect(second.param.data[0]).toBeCloseTo(1.88 - 0.1788, 14);
  });
});
