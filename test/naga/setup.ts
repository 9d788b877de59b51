import { platform } from "../../engine/platform/index.ts";

/** Before all tests, in Deno too: opens the adapter and says which it is. Without one, or outside of Deno, none runs. */
export default async function setup(): Promise<void> {
  if (platform.name !== "deno") throw new Error("these tests are for Deno: npm run test:naga");
  if (process.platform === "linux" && process.env["DENO_WEBGPU_BACKEND"] !== "vulkan")
    throw new Error("wgpu would choose a backend without a word: npm run test:naga sets DENO_WEBGPU_BACKEND");
  const { adapter, driver } = await platform.openGpu({ quiet: true });
  const backend = process.env["DENO_WEBGPU_BACKEND"] ?? "of wgpu's choice";
  const half = adapter.features.has("shader-f16") ? "with f16" : "without f16: what needs it is skipped";
  console.log(`naga: Deno ${process.versions["deno"]}, backend ${backend}, ${driver.description}, ${half}`);
}
