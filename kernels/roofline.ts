import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

/** Independent chains of multiply-adds in registers: `rounds` times 64 on each of 8 lanes. The rate nothing exceeds. */
export const multiplyAdd = defineKernel({
  name: "multiply_add",
  bindings: { y: "read_write f32" },
  params: { threads: "u32", rounds: "u32", a: "f32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.threads) { return; }
      ${unroll(8, (i) => `var s${i} = vec4f(f32(thread) + ${i}.0);`)}
      for (var r = 0u; r < p.rounds; r++) {
        ${unroll(4, () => unroll(8, (i) => `s${i} = s${i} * p.a + s${i};`, " "))}
      }
      let s = ${unroll(8, (i) => `s${i}`, " + ")};
      y[thread] = s.x + s.y + s.z + s.w;
    }`,
  dispatch: ({ threads }) => linearGroups(threads, 64),
  cost: ({ threads, rounds }) => ({ bytes: 4 * threads, flops: 256 * threads * rounds }),
});
