import { Engine } from "../../engine/engine.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { adapterOf } from "./adapter.ts";
import { choosingOn } from "./choosing-for.ts";

/**
 * The one engine of the device tests, opened once (files share their modules) and never closed: Dawn hangs when its
 * handles are collected. Every new tensor is filled with NaN, so that a kernel that leaves a gap is found. Without an
 * adapter this throws, and every file that imports it fails. STEIN_LIMITS=default makes it the smallest adapter there
 * may be. STEIN_CHOICES=gpu makes it choose kernels as on a GPU.
 */
export const engine = await Engine.create({
  poison: true,
  quiet: true,
  ...adapterOf(process.env.STEIN_LIMITS || undefined),
});

if (process.env.STEIN_CHOICES === "gpu")
  Object.assign(engine, { hardware: { ...engine.hardware, kind: "gpu" } });

/** Runs `fn` with the choices for another adapter, on this one. */
export const choosingFor = <T>(hardware: Partial<Hardware>, fn: () => T): T =>
  choosingOn(engine, hardware, fn);
