import { defineKernel, linearGroups, linearMain } from "./kernel.ts";

/** y[i] = value. The bit pattern is given, so that one kernel fills f32, i32 and u32, and NaN on purpose. */
export const fill = defineKernel({
  name: "fill",
  bindings: { y: "read_write vec4u" },
  params: { count: "u32", bits: "u32" },
  variants: [{ size: 64 }],
  main: (v: { size: number }) => `
    ${linearMain(v.size)}
      if (thread * 4u < p.count) { y[thread] = vec4u(p.bits); }
    }`,
  dispatch: ({ count }, v) => linearGroups(Math.ceil(count / 4), v.size),
  cost: ({ count }) => ({ bytes: 4 * count, flops: 0 }),
});
