import { UsageError } from "../../engine/errors.ts";
import type { EngineOptions } from "../../engine/open.ts";

/** The smallest adapter that WebGPU allows: its default limits, and no feature that is not everywhere. */
export const smallest = { limits: "default", features: "none" } as const satisfies EngineOptions;

/** How much of the adapter is used, by the name of its limits: "adapter" for all it has, "default" for the smallest. */
export function adapterOf(limits = "adapter"): EngineOptions {
  if (limits === "default") return smallest;
  if (limits === "adapter") return {};
  throw new UsageError(`limits: got ${limits}, expected adapter or default`);
}
