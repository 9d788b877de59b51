import type { CaseRecord, Line, RunRecord } from "../../bench/schema.ts";

// Lines of a run that never was, for tests of what is made of lines.

export const run: RunRecord = {
  kind: "run",
  version: 2,
  date: "2026-01-02T03:04:05.678Z",
  adapter: 'Example <GPU> & "co"',
  driver: {
    source: "system",
    software: false,
    vendor: "example",
    architecture: "arch",
    device: "dev",
    description: 'Example <GPU> & "co"',
  },
  features: ["timestamp-query"],
  runtime: "Node v24.0.0",
  platform: "linux x64",
  cores: 8,
  timestampStep: 1e-6,
};

export const roofs = {
  kind: "roofs",
  by: "median",
  gigaflops: 100,
  gigabytesPerSecond: 20,
  dispatchMicroseconds: 8,
} as const satisfies Line;

const spread = (median: number, half = 0.1) => ({
  median,
  lower: median - half,
  upper: median + half,
  best: median - 2 * half,
});

export const caseOf = (name: string, group: string, fields: Partial<CaseRecord> = {}): CaseRecord => ({
  kind: "case",
  name,
  group,
  shape: "8x64x32x32",
  bound: "compute",
  rounds: 9,
  bytes: 1e6,
  flops: 1e7,
  wall: spread(10),
  by: "median",
  unit: "GFLOP/s",
  ...fields,
});

export { spread };
