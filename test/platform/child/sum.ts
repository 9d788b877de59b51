/**
 * Opens the GPU as the engine does, adds up 1 to 1000 in a compute shader and prints one line of JSON:
 * { source, software, description, sum, variables }. Started by driver.test.ts, and by .ci/run to see whether
 * a driver works. It must end by itself: it neither destroys the device nor calls process.exit.
 */
import { platform } from "../../../engine/platform/index.ts";

const opened = await platform.openGpu(); // held by this module, and with it keepAlive
const { adapter, driver } = opened;
const device = await adapter.requestDevice();
device.addEventListener("uncapturederror", ({ error }) => {
  throw error;
});

const values = device.createBuffer({ size: 4000, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
const total = device.createBuffer({ size: 4, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
const back = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
device.queue.writeBuffer(
  values,
  0,
  Uint32Array.from({ length: 1000 }, (_, i) => i + 1),
);

const pipeline = device.createComputePipeline({
  layout: "auto",
  compute: {
    module: device.createShaderModule({
      code: /* wgsl */ `
        @group(0) @binding(0) var<storage, read> values: array<u32>;
        @group(0) @binding(1) var<storage, read_write> total: atomic<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
          if (id.x < arrayLength(&values)) { atomicAdd(&total, values[id.x]); }
        }`,
    }),
  },
});
const bindings = device.createBindGroup({
  layout: pipeline.getBindGroupLayout(0),
  entries: [values, total].map((buffer, binding) => ({ binding, resource: { buffer } })),
});

const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, bindings);
pass.dispatchWorkgroups(Math.ceil(1000 / 64));
pass.end();
encoder.copyBufferToBuffer(total, 0, back, 0, 4);
device.queue.submit([encoder.finish()]);

await back.mapAsync(GPUMapMode.READ);
const [sum] = new Uint32Array(back.getMappedRange());
const { source, software, description } = driver;
const variables = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"].filter((name) => process.env[name]);
console.log(JSON.stringify({ source, software, description, sum, variables }));
if (sum !== 500500) process.exitCode = 1;
