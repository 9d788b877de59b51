import { unroll } from "../kernel.ts";
import { artanh2 } from "./math.ts";

/**
 * Philox4x32-10 (Salmon et al. 2011) and the draws made of it. The key is the seed; the counter is
 * (element / 4 inside a sample, sample, step, purpose), so a draw depends on neither batch nor tiling.
 * Random words are the same on every adapter; `normal4` needs the library `trig`.
 */
export const philox = /* wgsl */ `
// The product's low word and its high one, of halves of 16 bits. Halves of 0xD2511F53 add up to less than 2^16, so that
// what they make of x in the middle fits into a word.
fn product_d2511f53(x: u32) -> vec2u {
  let low = x & 0xffffu; let high = x >> 16u;
  let middle = low * 0xD251u + high * 0x1F53u + ((low * 0x1F53u) >> 16u);
  return vec2u(x * 0xD2511F53u, high * 0xD251u + (middle >> 16u));
}
// Those of 0xCD9E8D57 do not, but of 2^32 - 0xCD9E8D57 = 0x326172A9: x less that product's high word, rounded up.
fn product_cd9e8d57(x: u32) -> vec2u {
  let low = x & 0xffffu; let high = x >> 16u;
  let middle = low * 0x3261u + high * 0x72A9u + ((low * 0x72A9u + 0xffffu) >> 16u) + 0xffffu;
  return vec2u(x * 0xCD9E8D57u, x - (high * 0x3261u + (middle >> 16u)));
}
fn philox_round(c: vec4u, k: vec2u) -> vec4u {
  let a = product_d2511f53(c.x);
  let b = product_cd9e8d57(c.z);
  return vec4u(b.y ^ c.y ^ k.x, b.x, a.y ^ c.w ^ k.y, a.x);
}
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  ${unroll(10, (round) => `c = philox_round(c, key + ${round}u * vec2u(0x9E3779B9u, 0xBB67AE85u));`, "\n  ")}
  return c;
}
// [0, 1) on a grid of 2^-24.
fn uniform4(words: vec4u) -> vec4f { return vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8; }`;

/** Box and Muller's transform; 24 bits of a word each for the radius and the angle. */
export const normal = /* wgsl */ `
// log of (0, 1] on a grid of 2^-24, none of which is subnormal.
fn log_unit(x: f32) -> f32 {
  let u = bitcast<u32>(x) + 0x004afb0du; // splits at sqrt 1/2
  let k = f32(i32(u >> 23u) - 127);
  let m = bitcast<f32>((u & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  let z = m / (m + 2.0);
  let w = z * z;
  let artanh2 = ${artanh2};
  return k * 0.693359375 + (artanh2 - k * 2.12194440e-4);
}
fn box_muller(a: u32, b: u32) -> vec2f {
  let radius = sqrt(-2.0 * log_unit(f32((a >> 8u) + 1u) * 5.9604644775390625e-8));
  let t = b >> 8u;                       // turns in units of 2^-24
  let n = (t + 0x200000u) >> 22u;        // nearest quarter turn
  let r = f32(i32(t) - i32(n << 22u)) * 3.745070282923929e-7; // pi / 2 * 2^-22
  let s = sin_poly(r);
  let c = cos_poly(r);
  let odd = (n & 1u) == 1u;
  let cosine = bitcast<u32>(select(c, s, odd)) ^ (((n + 1u) & 2u) << 30u);
  let sine = bitcast<u32>(select(s, c, odd)) ^ ((n & 2u) << 30u);
  return radius * vec2f(bitcast<f32>(cosine), bitcast<f32>(sine));
}
fn normal4(words: vec4u) -> vec4f { return vec4f(box_muller(words.x, words.y), box_muller(words.z, words.w)); }`;
