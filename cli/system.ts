import type { Engine } from "../engine/engine.ts";
import type { DriverReport } from "../engine/platform/platform.ts";
import { version } from "../engine/version.ts";

/** Limits of an adapter that decide what fits it. */
export const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** What ran a piece of work. */
export interface System {
  readonly stein: string;
  readonly node: string;
  readonly platform: string;
  readonly driver: DriverReport;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

export function systemOf({ driver, device }: Engine): System {
  return {
    stein: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    driver,
    features: [...device.features].sort(),
    limits: Object.fromEntries(limitNames.map((name) => [name, device.limits[name]])),
  };
}
