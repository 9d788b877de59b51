import type { DriverReport } from "./platform/platform.ts";
import { version } from "./version.ts";

/** All that a measured choice may depend on beside the problem: where any of it differs, it is another file. */
export interface TunedFor {
  readonly stein: string;
  readonly driver: Omit<DriverReport, "notice">;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

const limitNames = [
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupSizeX",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
] as const;

export function tunedFor(device: Pick<GPUDevice, "features" | "limits">, report: DriverReport): TunedFor {
  const { notice: _, ...driver } = report;
  return {
    stein: version,
    driver,
    features: [...device.features].sort(),
    limits: Object.fromEntries(limitNames.map((name) => [name, device.limits[name]])),
  };
}

/** The name of the file for an adapter. */
export const fileName = (of: TunedFor): string => `tuning-${hash(JSON.stringify(of))}.json`;

/** Names of ways by key; none for a text that is damaged or was written for something else. */
export function readTuning(text: string | undefined, of: TunedFor): Map<string, string> {
  const known = new Map<string, string>();
  if (text === undefined) return known;
  try {
    const { tunedFor, choices } = JSON.parse(text) as { tunedFor?: unknown; choices?: unknown };
    if (JSON.stringify(tunedFor) !== JSON.stringify(of)) return known;
    if (typeof choices !== "object" || choices === null) return known;
    for (const [key, way] of Object.entries(choices))
      if (typeof way === "object" && way !== null) known.set(key, JSON.stringify(way));
  } catch {
    known.clear(); // half a file is none
  }
  return known;
}

export function writeTuning(known: ReadonlyMap<string, string>, of: TunedFor): string {
  const sorted = [...known].sort(([a], [b]) => (a < b ? -1 : 1));
  const choices = Object.fromEntries(sorted.map(([key, way]) => [key, JSON.parse(way) as unknown]));
  return `${JSON.stringify({ tunedFor: of, choices }, null, 2)}\n`;
}

/** FNV-1a in two lanes of 32 bits, as 16 hexadecimal digits: a name, not a seal. */
function hash(text: string): string {
  const lane = (basis: number) => {
    let h = basis;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    return (h >>> 0).toString(16).padStart(8, "0");
  };
  return lane(0x811c9dc5) + lane(0x5bd1e995);
}
