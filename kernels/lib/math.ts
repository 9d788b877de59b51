/**
 * Elementary functions in WGSL with a few ulp of error on every driver. The built-ins are only promised
 * (and on software drivers only deliver) 2^-11 for sin and cos, an absolute error for log near 1, and a
 * wrong relative error for tanh near 0. Coefficients are those of the Cephes library's float routines.
 */

/** NaN and infinity by bit pattern: WGSL may assume they never occur, so `x != x` can be folded away. */
export const bits = /* wgsl */ `
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
// The operand keeps the constant out of the compiler's reach: WGSL refuses to write infinity down.
fn special(pattern: u32, x: f32) -> f32 { return bitcast<f32>(pattern | (bitcast<u32>(x) & 0u)); }`;

export const exp = /* wgsl */ `
fn exp_(x: f32) -> f32 {
  let c = clamp(x, -87.3, 88.72283);
  // Adding 1.5 2^23 rounds to the nearest whole number and leaves it in the low bits: no floor, no conversion.
  let n = bitcast<i32>(c * 1.44269504 + 12582912.0) - 0x4b400000;
  let k = f32(n);
  let r = (c - k * 0.693359375) + k * 2.12194440e-4;
  var y = 1.9875691500e-4 * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  let half = n >> 1u; // 2^128 alone would overflow: scale twice
  y = (y * r * r + r + 1.0) * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u);
  y = select(y, 0.0, x < -87.3);
  y = select(y, special(0x7f800000u, x), x > 88.72283);
  return select(y, x, is_nan(x));
}`;

/** exp(r + k ln 2) - 1 = (exp(r) - 1) 2^k + (2^k - 1): near 0, where k is 0, nothing is taken from something like it. */
const expm1 = /* wgsl */ `
// exp(r) - 1 for |r| up to ln 2 / 2.
fn expm1_near(r: f32) -> f32 {
  var y = 1.9875691500e-4 * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  return y * r * r + r;
}
fn expm1_(x: f32) -> f32 {
  let c = clamp(x, -87.3, 88.72283);
  let n = bitcast<i32>(c * 1.44269504 + 12582912.0) - 0x4b400000;
  let k = f32(n);
  let y = expm1_near((c - k * 0.693359375) + k * 2.12194440e-4);
  let half = n >> 1u;
  let a = bitcast<f32>(u32(half + 127) << 23u);
  let b = bitcast<f32>(u32(n - half + 127) << 23u);
  let e = (y * a + (a - bitcast<f32>(u32(half - n + 127) << 23u))) * b;
  return select(select(e, special(0x7f800000u, x), x > 88.72283), x, is_nan(x));
}
// exp(-a) - 1 for a >= 0.
fn expm1_minus(a: f32) -> f32 {
  let c = max(-a, -87.3);
  let n = bitcast<i32>(c * 1.44269504 + 12582912.0) - 0x4b400000;
  let k = f32(n);
  let power = bitcast<f32>(u32(n + 127) << 23u);
  return expm1_near((c - k * 0.693359375) + k * 2.12194440e-4) * power + (power - 1.0);
}`;

/** 2 artanh(z) of |z| up to 1/4, by its series; w is z z. */
export const artanh2 =
  "2.0 * z * (1.0 + w * (0.333333333 + w * (0.2 + w * (0.142857143 + w * (0.111111111 + w * 0.0909090909)))))";

/** log by splitting off the exponent: log(m 2^e) = e ln 2 + 2 artanh((m - 1) / (m + 1)), m in [sqrt 1/2, sqrt 2). */
export const log = /* wgsl */ `
fn artanh2(z: f32) -> f32 {
  let w = z * z;
  return ${artanh2};
}
fn log_(x: f32) -> f32 {
  let tiny = x < 1.17549435e-38;
  let u = bitcast<u32>(select(x, x * 16777216.0, tiny));
  var e = i32((u >> 23u) & 255u) - 126;
  var m = bitcast<f32>((u & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781) { m = m * 2.0; e = e - 1; }
  let k = f32(select(e, e - 24, tiny));
  var y = k * 0.693359375 + (artanh2((m - 1.0) / (m + 1.0)) - k * 2.12194440e-4);
  y = select(y, special(0xff800000u, x), x == 0.0);
  y = select(y, special(0x7fc00000u, x), x < 0.0);
  return select(y, x, is_nan(x) || u == 0x7f800000u);
}
fn log1p_(x: f32) -> f32 { return select(log_(1.0 + x), artanh2(x / (2.0 + x)), abs(x) < 0.4); }`;

/** sin and cos by Cody-Waite reduction to [-pi/4, pi/4]: the arguments of Fourier features run to hundreds. */
export const trig = /* wgsl */ `
fn sin_poly(r: f32) -> f32 {
  let w = r * r;
  return ((-1.9515295891e-4 * w + 8.3321608736e-3) * w - 1.6666654611e-1) * w * r + r;
}
fn cos_poly(r: f32) -> f32 {
  let w = r * r;
  return ((2.443315711809948e-5 * w - 1.388731625493765e-3) * w + 4.166664568298827e-2) * w * w - 0.5 * w + 1.0;
}
fn quarter_turns(r: f32, n: i32) -> f32 {
  let y = select(sin_poly(r), cos_poly(r), (n & 1) == 1);
  return select(y, -y, (n & 2) == 2);
}
fn reduced(x: f32, k: f32) -> f32 { return ((x - k * 1.5703125) - k * 4.837512969970703e-4) - k * 7.549789948768648e-8; }
fn sin_(x: f32) -> f32 { let k = round(x * 0.636619772); return quarter_turns(reduced(x, k), i32(k)); }
fn cos_(x: f32) -> f32 { let k = round(x * 0.636619772); return quarter_turns(reduced(x, k), i32(k) + 1); }`;

const tanh = /* wgsl */ `
fn tanh_(x: f32) -> f32 {
  let w = x * x;
  let near = x + x * w * ((((-5.70498872745e-3 * w + 2.06390887954e-2) * w - 5.37397155531e-2) * w + 1.33314422036e-1) * w - 3.33332819422e-1);
  let e = exp_(-2.0 * abs(x));
  let far = (1.0 - e) / (1.0 + e);
  return select(select(far, -far, x < 0.0), near, abs(x) < 0.625);
}`;

const sigmoid = /* wgsl */ `
// exp(-a) for a >= 0, which cannot overflow.
fn exp_minus(a: f32) -> f32 {
  let c = max(-a, -87.3);
  let n = bitcast<i32>(c * 1.44269504 + 12582912.0) - 0x4b400000;
  let k = f32(n);
  let r = (c - k * 0.693359375) + k * 2.12194440e-4;
  var y = 1.9875691500e-4 * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  return select((y * r * r + r + 1.0) * bitcast<f32>(u32(n + 127) << 23u), 0.0, a > 87.3);
}
// Of what is no number it makes one: see sigmoid_.
fn logistic(x: f32) -> f32 {
  let e = exp_minus(abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}
fn sigmoid_(x: f32) -> f32 { return select(logistic(x), x, is_nan(x)); }
fn softplus_(x: f32) -> f32 { return select(x, 0.0, x < 0.0) + log1p_(exp_(-abs(x))); }`;

/** Everything above, in the order of its needs. */
export const math: readonly string[] = [bits, exp, expm1, log, trig, tanh, sigmoid];
