import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ParamArena } from "../../engine/param-arena.ts";
import { type Program, SLOT } from "../../engine/programs.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Command } from "../../engine/stream.ts";

const SLOTS = 100;
const types = ["f32", "u32", "i32"] as const;

const command = (params: Command["params"]): Command => ({
  program: { types } as unknown as Program,
  ranges: [],
  params,
  groups: [1, 1, 1],
});

beforeAll(() => void vi.stubGlobal("GPUBufferUsage", { UNIFORM: 1, COPY_DST: 2 }));
afterAll(() => void vi.unstubAllGlobals());

test("the device holds what was set, and is sent what changed alone", () => {
  const memory = new Uint8Array(SLOTS * SLOT);
  const sent: { offset: number; size: number }[] = [];
  const writeBuffer = (_: GPUBuffer, offset: number, data: ArrayBuffer, from: number, size: number) => {
    memory.set(new Uint8Array(data, from, size), offset);
    sent.push({ offset, size });
  };
  const device = { createBuffer: () => ({}), queue: { writeBuffer } } as unknown as GPUDevice;
  const arena = new ParamArena(device, SLOTS);
  const truth = new DataView(new ArrayBuffer(SLOTS * SLOT));
  let state = 1;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const f32 = [0, -0, 1.5, Number.NaN, Infinity, 1e-45, 3.4e38];
  const rate = new Scalar(0);
  for (let submit = 0; submit < 200; submit++) {
    const changed = new Set<number>();
    for (let k = below(8); k >= 0; k--) {
      const slot = below(SLOTS);
      rate.value = f32[below(f32.length)]!;
      const params = [rate, below(2) === 0 ? 0xffffffff : below(5), -below(3)] as const;
      arena.set(slot, command(params));
      const before = bytes(truth, slot);
      truth.setFloat32(slot * SLOT, rate.value, true);
      truth.setUint32(slot * SLOT + 4, params[1], true);
      truth.setInt32(slot * SLOT + 8, params[2], true);
      if (bytes(truth, slot) !== before) changed.add(slot);
    }
    sent.length = 0;
    arena.upload();
    expect(Buffer.compare(memory, new Uint8Array(truth.buffer))).toBe(0);
    if (changed.size === 0) expect(sent).toEqual([]);
    expect(sent.length).toBeLessThanOrEqual(changed.size);
    // What did not change is sent along where it stands between slots that did, sixteen apart at most.
    for (const { offset, size } of sent) {
      const [first, last] = [offset / SLOT, (offset + size) / SLOT - 1];
      expect(changed.has(first) && changed.has(last)).toBe(true);
      const those = [...changed].filter((slot) => slot >= first && slot <= last).sort((a, b) => a - b);
      expect(Math.max(0, ...those.slice(1).map((slot, k) => slot - those[k]!))).toBeLessThanOrEqual(16);
    }
  }
});

const bytes = (view: DataView, slot: number): string =>
  [...new Uint8Array(view.buffer, slot * SLOT, 12)].join();
