import { existsSync, readFileSync } from "node:fs";
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

const { array64, map, scalar, sizeOf, zeros, zip } = array;

// --- Measuring ------------------------------------------------------------------------------------

function draw(dims: readonly number[], seed: number): Array64 {
  return philox.randomNormal(dims, { seed: [seed, 0], step: 0, purpose: 0 });
}

function dot(a: Array64, b: Array64): number {
  return zip(a, b, (x, y) => x * y).data.reduce((total, value) => total + value, 0);
}

function maxAbs(x: Array64): number {
  return x.data.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
}

/** Largest difference within `rel` of the largest expected value. */
function expectNear(actual: Array64, expected: Array64, rel: number): void {
  expect(actual.shape).toEqual(expected.shape);
  const error = maxAbs(zip(actual, expected, (a, b) => a - b));
  expect(error).toBeLessThanOrEqual(rel * maxAbs(expected) + 1e-12);
}

/** Gradient of dot(dy, f(x)) by central differences, one element at a time. */
function numericGrad(f: (x: Array64) => Array64, x: Array64, dy: Array64, h = 1e-5): Array64 {
  const nudged = (at: number, by: number) =>
    dot(dy, f(map(x, (value, i) => (i === at ? value + by : value))));
  return map(x, (_, i) => (nudged(i, h) - nudged(i, -h)) / (2 * h));
}

/** <A x, y> = <x, A^T y> for a linear pair. */
function expectAdjoint(forward: (x: Array64) => Array64, adjoint: (y: Array64) => Array64, x: Array64): void {
  const Ax = forward(x);
  const y = draw(Ax.shape, 99);
  const back = adjoint(y);
  expect(back.shape).toEqual(x.shape);
  expect(dot(Ax, y)).toBeCloseTo(dot(x, back), 9);
}

const add = (a: Array64, b: Array64) => binary.applyBinary("add", a, b);
const mul = (a: Array64, b: Array64) => binary.applyBinary("mul", a, b);

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
  test("erf to the last digits", () => {
    const table = [
      [0, 0],
      [0.1, 0.1124629160182849],
      [-0.7, -0.6778011938374184],
      [1.5, 0.9661051464753108],
      [3.2, 0.9999939742388483],
      [9, 1],
    ];
    for (const [x, y] of table) expect(Math.abs(unary.unary.erf(x) - y)).toBeLessThan(4e-16);
  });

  test.each(Object.keys(unary.unaryGrad) as unary.UnaryGradName[])("derivative of %s", (name) => {
    const x = array64([9], [-40, -3, -1, -0.3, -1e-3, 1e-3, 0.5, 2, 40]);
    const attrs = { alpha: 1.3, slope: 0.2 };
    const numeric = numericGrad(
      (at) => unary.applyUnary(name, at, attrs),
      x,
      map(x, () => 1),
    );
    expectNear(unary.applyUnaryGrad(name, x, attrs), numeric, 1e-8);
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
    expect(reduce.prod(x, [1])).toEqual(array64([2], [25, 0]));
    expect(reduce.max(x, null)).toEqual(scalar(5));
    expect(reduce.min(x, [0, 1], true)).toEqual(array64([1, 1], [-7]));
    expect(reduce.argmax(x, 1)).toEqual(array64([2], [1, 1]));
    expect(reduce.argmax(x, 0, true)).toEqual(array64([1, 3], [0, 0, 0]));
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
    array.forEachIndex(w.shape, ([co, ci, i, j], flat) => {
      holed.data[((co * 3 + ci) * 5 + 2 * i) * 4 + 3 * j] = w.data[flat];
    });
    const padding = [2, 1, 0, 3] as const;
    const dense = conv2d.conv2d(x, holed, null, { stride: [1, 1], dilation: [1, 1], padding }); // [2,4,8,8]
    const expected = zeros([2, 4, 3, 4]); // every third row, every second column
    array.forEachIndex(expected.shape, ([n, co, oh, ow], flat) => {
      expected.data[flat] = dense.data[((n * 4 + co) * 8 + 3 * oh) * 8 + 2 * ow];
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
    const back = (dy: Array64) => upfirdn2d.upfirdn2dGrad(dy, kernel, { ...attrs, inputSize: [5, 7] });
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
    expectNear(softmax.softmaxGrad(softmax.softmax(x), dy), numericGrad(softmax.softmax, x, dy), 1e-9);
    expectNear(
      softmax.logSoftmaxGrad(softmax.logSoftmax(x), dy),
      numericGrad(softmax.logSoftmax, x, dy),
      1e-9,
    );
    const loss = (at: Array64) => softmax.crossEntropy(at, labels);
    expectNear(softmax.crossEntropyGrad(x, labels), numericGrad(loss, x, scalar(1)), 1e-9);
  });

  test("attention, with other numbers of keys and value channels", () => {
    const [q, k, v, dy] = [
      draw([2, 3, 4], 19),
      draw([2, 3, 5], 20),
      draw([2, 6, 5], 21),
      draw([2, 6, 4], 22),
    ];
    const scale = 0.7;
    const { dq, dk, dv } = attention.attentionGrad(q, k, v, dy, scale);
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
      const scores = [0, 1, 2, 3].map((j) => 0.5 * (q.data[i] * k.data[j] + q.data[3 + i] * k.data[4 + j]));
      const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
      for (let c = 0; c < 2; c++) {
        scores.forEach((s, j) => {
          y.data[c * 3 + i] += (Math.exp(s) / total) * v.data[c * 4 + j];
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
      const grads = norm.normGrad(x, dy, attrs, gamma, beta, alpha);
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
    const { dx, dgamma, dbeta, dalpha } = norm.normGrad(x, dy, attrs, null, null, null);
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
    expect(norm.normGrad(x, dy, plus, null, null, alpha).dx).toEqual(
      norm.normGrad(x, dy, attrs, null, null, null).dx,
    );
  });

  test("dsmLoss", () => {
    const [score, z, sigma] = [draw([3, 2, 2], 33), draw([3, 2, 2], 34), array64([3], [0.1, 1, 5])];
    for (const annealPower of [0, 1, 2]) {
      const loss = (at: Array64) => updates.dsmLoss(at, z, sigma, { annealPower });
      const numeric = numericGrad(loss, score, scalar(1));
      expectNear(updates.dsmLossGrad(score, z, sigma, { annealPower }), numeric, 1e-8);
    }
    const target = map(z, (noise, i) => -noise / sigma.data[Math.floor(i / 4)]);
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
      ).data[0];
    const z = draw([10, size / 10], 35);
    [0, 1, 0, 3].forEach((expected, i) => {
      const variance = [1, 2, 15, 96][i];
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
    expect(updates.langevinStep(x, s, z, { a: 0.5, b: 0.01 }).data).toEqual(Float64Array.of(7, 11));
    expect(updates.dsmPerturb(x, array64([2], [0.5, 2]), z).data).toEqual(Float64Array.of(51, -198));
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

// --- The published code ---------------------------------------------------------------------------

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly file: string;
  // biome-ignore lint/suspicious/noExplicitAny: attributes differ from case to case
  readonly attrs: any;
}

type Tensors = Record<string, Array64>;
type Values = Record<string, Array64 | null>;

const root = new URL("../../../shared/reference/", import.meta.url);
const published = existsSync(new URL("index.json", root));
const cases: Case[] = published ? JSON.parse(readFileSync(new URL("index.json", root), "utf8")).cases : [];

function load(file: string): Tensors {
  const bytes = new Uint8Array(readFileSync(new URL(file, root)));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors: Tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    const { dtype, shape, data_offsets } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: number[];
    };
    const raw = bytes.slice(start + data_offsets[0], start + data_offsets[1]).buffer;
    tensors[name] = array64(shape, dtype === "I32" ? new Int32Array(raw) : new Float32Array(raw));
  }
  return tensors;
}

const square = (size: number) => [size, size] as const;
const around = (size: number) => [size, size, size, size] as const;
const sizeOfImage = (x: Array64) => [x.shape[2], x.shape[3]] as const;
const perChannel = (x: Array64) => shape.reshape(x, [x.data.length, 1, 1]);

/** Gradient of a broadcast operand: sum over the axes that were stretched. */
function unbroadcast(x: Array64, dims: readonly number[]): Array64 {
  const lead = x.shape.length - dims.length;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis < lead || dims[axis - lead] === 1);
  return shape.reshape(reduce.sum(x, axes), dims);
}

/** Convolution, its three gradients. */
function convolution(t: Tensors, attrs: conv2d.Conv2dAttrs): Values {
  const [x, w, gy] = [t["in.x"], t["in.weight"], t["in.gy"]];
  return {
    "out.y": conv2d.conv2d(x, w, t["in.bias"] ?? null, attrs),
    "grad.in.x": conv2d.conv2dInputGrad(gy, w, { ...attrs, inputSize: sizeOfImage(x) }),
    "grad.in.weight": conv2d.conv2dWeightGrad(gy, x, { ...attrs, kernelSize: sizeOfImage(w) }),
    "grad.in.bias": t["in.bias"] ? reduce.sum(gy, [0, 2, 3]) : null,
  };
}

function activation(name: unary.UnaryGradName) {
  return (t: Tensors, { negative_slope }: { negative_slope: number | null }): Values => {
    const attrs = { slope: negative_slope ?? undefined };
    return {
      "out.y": unary.applyUnary(name, t["in.x"], attrs),
      "grad.in.x": mul(t["in.gy"], unary.applyUnaryGrad(name, t["in.x"], attrs)),
    };
  };
}

const plainNorm = { eps: 1e-5, activation: "none", plus: false } as const;

/** A norm with parameters of its own, under the names a case gives them. */
function normalisation(
  t: Tensors,
  attrs: norm.NormAttrs,
  names: { gamma?: string; beta?: string; alpha?: string },
): Values {
  const [gamma, beta, alpha] = [names.gamma, names.beta, names.alpha].map(
    (name) => (name && t[name]) || null,
  );
  const grads = norm.normGrad(t["in.x"], t["in.gy"], attrs, gamma, beta, alpha);
  return {
    "out.y": norm.norm(t["in.x"], attrs, gamma, beta, alpha),
    "grad.in.x": grads.dx,
    [`grad.${names.gamma}`]: grads.dgamma,
    [`grad.${names.beta}`]: grads.dbeta,
    [`grad.${names.alpha}`]: grads.dalpha,
  };
}

/** A norm whose parameters are parts of an embedded label, in the order given. */
function conditional(attrs: Partial<norm.NormAttrs>, order: readonly ("gamma" | "alpha" | "beta")[]) {
  return (t: Tensors, { bias }: { bias: boolean }): Values => {
    const parts = order.filter((part) => part !== "beta" || bias);
    const full = { ...plainNorm, groups: t["in.x"].shape[1], ...attrs };
    const [N, C] = t["in.x"].shape;
    const rows = embedding.embedding(t["param.embed.weight"], t["in.labels"]);
    const of = (part: (typeof order)[number]) => {
      const position = parts.indexOf(part);
      return position < 0 ? null : shape.slice(rows, [0, position * C], [N, C]);
    };
    const { dx, ...grads } = norm.normGrad(t["in.x"], t["in.gy"], full, of("gamma"), of("beta"), of("alpha"));
    const drows = shape.concat(
      parts.map((part) => grads[`d${part}`] as Array64),
      1,
    );
    return {
      "out.y": norm.norm(t["in.x"], full, of("gamma"), of("beta"), of("alpha")),
      "grad.in.x": dx,
      "grad.param.embed.weight": embedding.embeddingGrad(
        drows,
        t["in.labels"],
        t["param.embed.weight"].shape[0],
      ),
    };
  };
}

/** 1x1 convolution of score SDE: W [in,out] over the channels of x [N,in,H,W] or [N,in,T]. */
function nin(x: Array64, W: Array64, b: Array64): Array64 {
  const [N, C, ...rest] = x.shape;
  const flat = shape.reshape(x, [N, C, sizeOf(rest)]);
  const y = add(matmul.matmul(W, flat, { transposeA: true }), shape.reshape(b, [b.data.length, 1]));
  return shape.reshape(y, [N, W.shape[1], ...rest]);
}

function attentionBlock(t: Tensors, a: { groups: number; eps: number; skip_rescale?: boolean }): Values {
  const [N, C, H, W] = t["in.x"].shape;
  const attrs = { ...plainNorm, groups: a.groups, eps: a.eps };
  const [gamma, beta] = [t["param.GroupNorm_0.weight"], t["param.GroupNorm_0.bias"]];
  const weight = (i: number) => t[`param.NIN_${i}.W`];
  const layer = (i: number, x: Array64) => nin(x, weight(i), t[`param.NIN_${i}.b`]);
  const layerGrad = (i: number, dy: Array64) => matmul.matmul(weight(i), dy);
  const rescaled = (x: Array64) => map(x, (value) => (a.skip_rescale ? value / Math.SQRT2 : value));

  const h = shape.reshape(norm.norm(t["in.x"], attrs, gamma, beta, null), [N, C, H * W]);
  const [q, k, v] = [0, 1, 2].map((i) => layer(i, h));
  const out = layer(3, attention.attention(q, k, v, C ** -0.5));

  const gy = rescaled(t["in.gy"]);
  const dout = layerGrad(3, shape.reshape(gy, [N, C, H * W]));
  const { dq, dk, dv } = attention.attentionGrad(q, k, v, dout, C ** -0.5);
  const dh = add(add(layerGrad(0, dq), layerGrad(1, dk)), layerGrad(2, dv));
  const { dx } = norm.normGrad(t["in.x"], shape.reshape(dh, [N, C, H, W]), attrs, gamma, beta, null);
  return { "out.y": rescaled(add(t["in.x"], shape.reshape(out, [N, C, H, W]))), "grad.in.x": add(gy, dx) };
}

/** FIR resampling of score SDE by a separable kernel k / sum(k), times factor^2 going up. */
function firResample(t: Tensors, { k, factor }: { k: number[]; factor: number }, upwards: boolean): Values {
  const total = k.reduce((sum, value) => sum + value, 0);
  const taps = array64(
    [k.length],
    k.map((value) => ((upwards ? factor : 1) * value) / total),
  );
  const kernel = mul(shape.reshape(taps, [k.length, 1]), taps);
  const spare = k.length - factor;
  const before = Math.floor((spare + 1) / 2) + (upwards ? factor - 1 : 0);
  const after = Math.floor(spare / 2);
  const pad = [before, after, before, after] as const;
  const attrs = { up: square(upwards ? factor : 1), down: square(upwards ? 1 : factor), pad };
  return {
    "out.y": upfirdn2d.upfirdn2d(t["in.x"], kernel, attrs),
    "grad.in.x": upfirdn2d.upfirdn2dGrad(t["in.gy"], kernel, { ...attrs, inputSize: sizeOfImage(t["in.x"]) }),
  };
}

function averagePool(t: Tensors, kernel: number, stride: number, padding: number): Values {
  const attrs = {
    kernel: square(kernel),
    stride: square(stride),
    padding: around(padding),
    countIncludePad: true,
  };
  return {
    "out.y": pool.avgPool2d(t["in.x"], attrs),
    "grad.in.x": pool.avgPool2dGrad(t["in.gy"], { ...attrs, inputSize: sizeOfImage(t["in.x"]) }),
  };
}

function nearest(t: Tensors): Values {
  return {
    "out.y": resize.resizeNearest(t["in.x"], { size: sizeOfImage(t["in.gy"]) }),
    "grad.in.x": resize.resizeNearestGrad(t["in.gy"], { inputSize: sizeOfImage(t["in.x"]) }),
  };
}

/** What each published op computes, put together from the oracle. */
const ops: Record<string, (t: Tensors, attrs: Case["attrs"]) => Values> = {
  conv2d: (t, a) =>
    convolution(t, { stride: square(a.stride), padding: around(a.padding), dilation: square(a.dilation) }),
  "pad(0,1,0,1) then conv2d": (t, a) =>
    convolution(t, { stride: square(a.stride), padding: [0, 1, 0, 1], dilation: [1, 1] }),
  conv_transpose2d: (t, a) => {
    const attrs = { stride: square(a.stride), padding: around(a.padding), dilation: square(1) };
    const [x, w, gy] = [t["in.x"], t["in.weight"], t["in.gy"]];
    return {
      "out.y": add(
        conv2d.conv2dInputGrad(x, w, { ...attrs, inputSize: sizeOfImage(gy) }),
        perChannel(t["in.bias"]),
      ),
      "grad.in.x": conv2d.conv2d(gy, w, null, attrs),
      "grad.in.weight": conv2d.conv2dWeightGrad(x, gy, { ...attrs, kernelSize: sizeOfImage(w) }),
      "grad.in.bias": reduce.sum(gy, [0, 2, 3]),
    };
  },
  linear: (t) => ({
    "out.y": add(matmul.matmul(t["in.x"], t["in.weight"], { transposeB: true }), t["in.bias"]),
    "grad.in.x": matmul.matmul(t["in.gy"], t["in.weight"]),
    "grad.in.weight": matmul.matmul(t["in.gy"], t["in.x"], { transposeA: true }),
    "grad.in.bias": reduce.sum(t["in.gy"], [0]),
  }),
  matmul: (t) => ({
    "out.y": matmul.matmul(t["in.a"], t["in.b"]),
    "grad.in.a": unbroadcast(matmul.matmul(t["in.gy"], t["in.b"], { transposeB: true }), t["in.a"].shape),
    "grad.in.b": unbroadcast(matmul.matmul(t["in.a"], t["in.gy"], { transposeA: true }), t["in.b"].shape),
  }),
  elu: activation("elu"),
  silu: activation("silu"),
  relu: activation("relu"),
  leaky_relu: activation("leakyRelu"),
  softplus: activation("softplus"),
  sigmoid: activation("sigmoid"),
  tanh: activation("tanh"),
  softmax: (t) => {
    const y = softmax.softmax(t["in.x"]);
    return { "out.y": y, "grad.in.x": softmax.softmaxGrad(y, t["in.gy"]) };
  },
  logsumexp: (t) => ({
    "out.y": reduce.logsumexp(t["in.x"], [-1]),
    "grad.in.x": mul(softmax.softmax(t["in.x"]), shape.reshape(t["in.gy"], [...t["in.gy"].shape, 1])),
  }),
  cross_entropy: (t) => ({
    "out.y": softmax.crossEntropy(t["in.x"], t["in.labels"]),
    "grad.in.x": softmax.crossEntropyGrad(t["in.x"], t["in.labels"]),
  }),
  instance_norm: (t) => normalisation(t, { ...plainNorm, groups: t["in.x"].shape[1] }, {}),
  group_norm: (t, { groups, eps }) =>
    normalisation(t, { ...plainNorm, groups, eps }, { gamma: "in.weight", beta: "in.bias" }),
  layer_norm: (t) => {
    const image = (x: Array64) => shape.reshape(x, [...x.shape, 1, 1]);
    const images = { ...t, "in.x": image(t["in.x"]), "in.gy": image(t["in.gy"]) };
    const values = normalisation(
      images,
      { ...plainNorm, groups: 1 },
      { gamma: "in.weight", beta: "in.bias" },
    );
    const flat = (name: string) => shape.reshape(values[name] as Array64, t["in.x"].shape);
    return { ...values, "out.y": flat("out.y"), "grad.in.x": flat("grad.in.x") };
  },
  InstanceNorm2dPlus: (t) =>
    normalisation(
      t,
      { ...plainNorm, groups: 6, plus: true },
      { gamma: "param.gamma", beta: "param.beta", alpha: "param.alpha" },
    ),
  VarianceNorm2d: (t) =>
    normalisation(
      t,
      { ...plainNorm, groups: 6, meanSubtract: false, unbiased: true },
      { gamma: "param.alpha" },
    ),
  ConditionalInstanceNorm2d: conditional({}, ["gamma", "beta"]),
  ConditionalInstanceNorm2dPlus: conditional({ plus: true }, ["gamma", "alpha", "beta"]),
  ConditionalVarianceNorm2d: conditional({ meanSubtract: false, unbiased: true }, ["gamma", "beta"]),
  avg_pool2d: (t, a) => averagePool(t, a.kernel, a.stride, a.padding),
  naive_downsample_2d: (t) => averagePool(t, 2, 2, 0),
  max_pool2d: (t, a) => {
    const attrs = { kernel: square(a.kernel), stride: square(a.stride), padding: around(a.padding) };
    const { y, index } = pool.maxPool2d(t["in.x"], attrs);
    return { "out.y": y, "grad.in.x": pool.maxPool2dGrad(t["in.gy"], index, sizeOfImage(t["in.x"])) };
  },
  interpolate: (t, a) => {
    if (a.mode === "nearest") return nearest(t);
    const attrs = { size: a.size, alignCorners: a.align_corners };
    return {
      "out.y": resize.resizeBilinear(t["in.x"], attrs),
      "grad.in.x": resize.resizeBilinearGrad(t["in.gy"], { ...attrs, inputSize: sizeOfImage(t["in.x"]) }),
    };
  },
  naive_upsample_2d: nearest,
  upfirdn2d: (t, { up, down, pad_before_after: [before, after] }) => {
    const attrs = { up: square(up), down: square(down), pad: [before, after, before, after] as const };
    const inputSize = sizeOfImage(t["in.x"]);
    return {
      "out.y": upfirdn2d.upfirdn2d(t["in.x"], t["in.kernel"], attrs),
      "grad.in.x": upfirdn2d.upfirdn2dGrad(t["in.gy"], t["in.kernel"], { ...attrs, inputSize }),
    };
  },
  upsample_2d: (t, a) => firResample(t, a, true),
  downsample_2d: (t, a) => firResample(t, a, false),
  NIN: (t) => {
    const [N, , H, W] = t["in.x"].shape;
    const [x, gy] = [t["in.x"], t["in.gy"]].map((image) => shape.reshape(image, [N, image.shape[1], H * W]));
    return {
      "out.y": nin(t["in.x"], t["param.W"], t["param.b"]),
      "grad.in.x": shape.reshape(matmul.matmul(t["param.W"], gy), t["in.x"].shape),
      "grad.param.W": reduce.sum(matmul.matmul(x, gy, { transposeB: true }), [0]),
      "grad.param.b": reduce.sum(gy, [0, 2]),
    };
  },
  AttnBlock: attentionBlock,
  AttnBlockpp: attentionBlock,
};

describe.skipIf(!published)("the published code", () => {
  const known = cases.filter(({ kind, attrs }) => kind === "ops" && attrs.op in ops);

  test("every op of the oracle meets a case", () => {
    expect(new Set(known.map(({ attrs }) => attrs.op))).toEqual(new Set(Object.keys(ops)));
  });

  test.each(known)("$name", ({ file, attrs }) => {
    const t = load(file);
    const values = ops[attrs.op](t, attrs);
    const wanted = Object.keys(t).filter((name) => name.startsWith("out.") || name.startsWith("grad."));
    for (const name of wanted) {
      if (name.startsWith("grad.param.") && attrs.op.startsWith("AttnBlock")) continue;
      expectNear(values[name] as Array64, t[name], 1e-6);
    }
  });

  const adamCases = cases.filter(({ attrs }) => attrs.optimizer === "Adam" && attrs.rule);
  test.each(adamCases)("$name", ({ file, attrs }) => {
    const t = load(file);
    const names = Object.keys(t).flatMap((name) => (name.startsWith("param.") ? [name.slice(6)] : []));
    const state = new Map(
      names.map((name) => {
        const param = t[`param.${name}`];
        return [
          name,
          { param, m: zeros(param.shape), v: zeros(param.shape), ema: null } as updates.AdamState,
        ];
      }),
    );
    for (let i = 0; i < attrs.steps; i++) {
      const squares = names.map((name) => dot(t[`in.grad${i}.${name}`], t[`in.grad${i}.${name}`]));
      const length = Math.sqrt(squares.reduce((total, value) => total + value, 0));
      for (const [name, old] of state) {
        const next = updates.adam(
          { ...old, grad: t[`in.grad${i}.${name}`] },
          {
            lr: attrs.lr * (attrs.warmup > 0 ? Math.min(i / attrs.warmup, 1) : 1),
            beta1: attrs.betas[0],
            beta2: attrs.betas[1],
            eps: attrs.eps,
            weightDecay: attrs.weight_decay,
            step: i + 1,
            emaDecay: 0,
            clipScale: attrs.grad_clip >= 0 ? Math.min(1, attrs.grad_clip / (length + 1e-6)) : 1,
          },
        );
        state.set(name, next);
        expectNear(next.param, t[`out.step${i}.${name}`], 1e-6);
      }
    }
    for (const [name, { m, v }] of state) {
      expectNear(m, t[`out.exp_avg.${name}`], 1e-6);
      expectNear(v, t[`out.exp_avg_sq.${name}`], 1e-6);
    }
  });

  const averages = cases.filter(({ attrs }) => attrs.average === "ExponentialMovingAverage");
  test.each(averages)("$name", ({ file, attrs }) => {
    const t = load(file);
    const still = { lr: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, step: 1, clipScale: 1 };
    let ema = t["param.a.weight"];
    for (let i = 0; i < attrs.steps; i++) {
      const param = t[`in.step${i}.a.weight`];
      const nothing = zeros(param.shape);
      const emaDecay = attrs.use_num_updates ? Math.min(attrs.decay, (2 + i) / (11 + i)) : attrs.decay;
      const next = updates.adam(
        { param, grad: nothing, m: nothing, v: nothing, ema },
        { ...still, emaDecay },
      );
      ema = next.ema as Array64;
      expectNear(ema, t[`out.step${i}.a.weight`], 1e-6);
    }
  });

  test.each(cases.filter(({ name }) => /^anneal_dsm_power/.test(name)))("$name", ({ file, attrs }) => {
    const t = load(file);
    const z = t["noise.000.randn_like"];
    const sigma = embedding.embedding(shape.reshape(t["in.sigmas"], [6, 1]), t["in.labels"]);
    const same = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
    const label = map(shape.reshape(t["in.labels"], [3, 1]), (value) => attrs.label_scale * value);
    const cond = add(
      matmul.matmul(label, t["param.cond.weight"], { transposeB: true }),
      t["param.cond.bias"],
    );

    const noisy = updates.dsmPerturb(t["in.x"], sigma, z);
    const hidden = conv2d.conv2d(noisy, t["param.conv1.weight"], t["param.conv1.bias"], same);
    const active = unary.applyUnary("silu", add(hidden, shape.reshape(cond, [3, 8, 1, 1])));
    const score = conv2d.conv2d(active, t["param.conv2.weight"], t["param.conv2.bias"], same);
    expectNear(updates.dsmLoss(score, z, sigma, { annealPower: attrs.anneal_power }), t["out.loss"], 1e-6);

    const dscore = updates.dsmLossGrad(score, z, sigma, { annealPower: attrs.anneal_power });
    const dweight = conv2d.conv2dWeightGrad(dscore, active, { ...same, kernelSize: [3, 3] });
    expectNear(dweight, t["grad.param.conv2.weight"], 1e-6);
  });
});
