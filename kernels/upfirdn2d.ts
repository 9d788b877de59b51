import { defineKernel, linearGroups, linearMain } from "./kernel.ts";

/**
 * Zeros stuffed to `up`, padded (negative: cropped), filtered, every `down`-th kept. x [planes, height, width] ->
 * y [planes, oh, ow]. Only the taps that meet a real input are visited. The filter is flipped first, as a true
 * convolution asks, unless `flip` is 0: the adjoint is this kernel again with up and down swapped and no flip.
 */
export const upfirdn2d = defineKernel({
  name: "upfirdn2d",
  bindings: { x: "read f32", filter_: "read f32", y: "read_write f32" },
  params: {
    planes: "u32",
    height: "u32",
    width: "u32",
    oh: "u32",
    ow: "u32",
    kh: "u32",
    kw: "u32",
    upY: "i32",
    upX: "i32",
    downY: "i32",
    downX: "i32",
    top: "i32",
    left: "i32",
    flip: "u32",
  },
  variants: [{}],
  main: () => `
    // First tap that falls on a real input: k with (start + k) divisible by up.
    fn first(start: i32, up: i32) -> i32 { return (up - (start % up + up) % up) % up; }
    ${linearMain(64)}
      if (thread >= p.planes * p.oh * p.ow) { return; }
      let y0 = i32(thread / p.ow % p.oh) * p.downY - p.top;
      let x0 = i32(thread % p.ow) * p.downX - p.left;
      let base = i32(thread / p.ow / p.oh * p.height * p.width);
      var total = 0.0;
      for (var a = first(y0, p.upY); a < i32(p.kh); a += p.upY) {
        let i = (y0 + a) / p.upY;
        if (y0 + a >= 0 && i < i32(p.height)) {
          let row = select(a, i32(p.kh) - 1 - a, p.flip == 1u) * i32(p.kw);
          for (var b = first(x0, p.upX); b < i32(p.kw); b += p.upX) {
            let j = (x0 + b) / p.upX;
            if (x0 + b >= 0 && j < i32(p.width)) {
              total += filter_[row + select(b, i32(p.kw) - 1 - b, p.flip == 1u)] * x[base + i * i32(p.width) + j];
            }
          }
        }
      }
      y[thread] = total;
    }`,
  dispatch: ({ planes, oh, ow }) => linearGroups(planes * oh * ow, 64),
  cost: ({ planes, height, width, oh, ow, kh, kw, upY, upX }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: (2 * planes * oh * ow * kh * kw) / (upY * upX),
  }),
});
