/**
 * Philox4x32-10 (Salmon et al. 2011) and the draws made of it. The key is the seed; the counter is
 * (element / 4 inside a sample, sample, step, purpose), so a draw depends on neither batch nor tiling.
 * Random words are the same on every adapter; `normal4` needs the libraries `bits`, `log` and `trig`.
 */
export const philox = /* wgsl */ `
fn mul_wide(a: u32, b: u32) -> vec2u {
  let a0 = a & 0xffffu; let a1 = a >> 16u; let b0 = b & 0xffffu; let b1 = b >> 16u;
  let m = a1 * b0 + ((a0 * b0) >> 16u);
  let n = a0 * b1 + (m & 0xffffu);
  return vec2u(a * b, a1 * b1 + (m >> 16u) + (n >> 16u));
}
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter; var k = key;
  for (var round = 0; round < 10; round++) {
    let a = mul_wide(0xD2511F53u, c.x);
    let b = mul_wide(0xCD9E8D57u, c.z);
    c = vec4u(b.y ^ c.y ^ k.x, b.x, a.y ^ c.w ^ k.y, a.x);
    k = k + vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}
// [0, 1) on a grid of 2^-24.
fn uniform4(words: vec4u) -> vec4f { return vec4f(words >> vec4u(8u)) * 5.9604644775390625e-8; }`;

export const normal = /* wgsl */ `
fn box_muller(a: u32, b: u32) -> vec2f {
  let radius = sqrt(-2.0 * log_(f32((a >> 8u) + 1u) * 5.9604644775390625e-8));
  let t = b >> 8u;                       // turns in units of 2^-24
  let n = (t + 0x200000u) >> 22u;        // nearest quarter turn
  let r = f32(i32(t) - i32(n << 22u)) * 3.745070282923929e-7; // pi / 2 * 2^-22
  return radius * vec2f(quarter_turns(r, i32(n) + 1), quarter_turns(r, i32(n)));
}
fn normal4(words: vec4u) -> vec4f { return vec4f(box_muller(words.x, words.y), box_muller(words.z, words.w)); }`;
