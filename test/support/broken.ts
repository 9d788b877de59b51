import { defineKernel } from "../../kernels/kernel.ts";

/** A kernel whose WGSL has one faulty line, the seventh: what it gives to y. */
export const brokenKernel = (value: string) =>
  defineKernel({
    name: "broken",
    bindings: { y: "read_write f32" },
    params: { count: "u32" },
    variants: [{ size: 8 }],
    main: (v: { size: number }) => `
    @compute @workgroup_size(${v.size})
    fn main(@builtin(global_invocation_id) id: vec3u) {
      y[id.x] = ${value};
    }`,
    dispatch: () => [1, 1, 1],
    cost: () => ({ bytes: 0, flops: 0 }),
  });
