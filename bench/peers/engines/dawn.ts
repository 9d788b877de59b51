/**
 * Puts WebGPU where engines written for browsers look for it: its classes and `navigator.gpu`, out of the npm package
 * `webgpu` that Stein uses too. Returns what must be held as long as a device lives.
 */
export async function browserLikeGpu(): Promise<GPU> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create([]);
  Object.defineProperty(globalThis, "navigator", {
    value: { gpu, userAgent: `Node ${process.version}`, platform: process.platform },
    configurable: true,
  });
  return gpu;
}

/** The adapter that an engine asking as browsers do is given. */
export async function adapterOf(gpu: GPU): Promise<string | undefined> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  return adapter?.info.description || adapter?.info.device;
}
