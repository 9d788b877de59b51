/** A kernel of your own in WGSL: soft thresholding, y = sign(x) max(|x| - threshold, 0), the step of sparse denoisers. */
import assert from "node:assert/strict";
import { defineKernel, Engine, linearGroups, randn, source, type Tensor } from "stein";

const shrinkKernel = defineKernel({
  name: "shrink",
  bindings: { x: "read f32", y: "read_write f32" }, // arrays of the shader, by these names
  params: { count: "u32", threshold: "f32" }, // fields of p
  variants: [{ size: 64 }, { size: 256 }],
  main: ({ size }) => /* wgsl */ `
    @compute @workgroup_size(${size})
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
      let i = id.x + id.y * groups.x * ${size}u; // many workgroups are folded into rows
      if (i >= p.count) { return; }
      y[i] = sign(x[i]) * max(abs(x[i]) - p.threshold, 0.0);
    }`,
  dispatch: ({ count }, { size }) => linearGroups(count, size),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 4 * count }), // for the profiler
});

function shrink(x: Tensor, threshold: number): Tensor {
  const y = x.engine.empty(x.shape);
  x.engine.launch(shrinkKernel, { size: 64 }, { x, y }, { count: x.size, threshold });
  return y;
}

console.log(source(shrinkKernel, { size: 64 })); // as it is compiled

const engine = await Engine.create();
const x = randn(engine, [1000, 37], { seed: 1, purpose: "user" });
const [before, after] = await engine.readAll([x, shrink(x, 1)]);
const expected = before!.map((v) => Math.sign(v) * Math.max(Math.abs(v) - 1, 0));
const error = Math.max(...expected.map((v, i) => Math.abs(v - after![i]!)));
const zeros = after!.filter((v) => v === 0).length / x.size;
console.log(
  `${x.size} values, off by at most ${error}; ${(100 * zeros).toFixed(1)} % became 0, expected 68.3 %`,
);
assert(error < 1e-6 && Math.abs(zeros - 0.6827) < 0.01);
engine.destroy();
