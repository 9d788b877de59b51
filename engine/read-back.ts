import type { Faults } from "./faults.ts";
import { toHost } from "./host-data.ts";
import type { CommandStream } from "./stream.ts";
import { bytesOf, type HostData, type Tensor } from "./tensor.ts";

interface Source {
  readonly device: GPUDevice;
  readonly stream: CommandStream;
  readonly faults: Faults;
  /** Waits for a promise of the device. */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
}

/** The values of several tensors with one wait. Throws DeviceError when the device failed. */
export async function readBack(
  { device, stream, faults, wait }: Source,
  tensors: readonly Tensor[],
): Promise<HostData[]> {
  const blocks = tensors.map((t) => t.storage.block); // one that was disposed throws before any buffer is made
  const staging = tensors.map((t) => {
    const size = Math.ceil((t.size * bytesOf(t.dtype)) / 4) * 4;
    return device.createBuffer({
      label: "read",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  });
  try {
    stream.copyOut(blocks.map((block, i) => ({ block, target: staging[i]! })));
    await wait(Promise.all(staging.map((b) => b.mapAsync(GPUMapMode.READ))));
    faults.check();
    return staging.map((b, i) => toHost(b.getMappedRange().slice(0), tensors[i]!));
  } catch (cause) {
    throw faults.of("read", cause);
  } finally {
    for (const b of staging) b.destroy();
  }
}
