import { expect, test } from "vitest";
import { patiently } from "../../engine/patience.ts";
import type { Poller } from "../../engine/platform/platform.ts";

/** Milliseconds that a round of the event loop takes by itself. */
const ROUND = 0.01;

/** A device polled in rounds of the event loop, on a clock of its own. */
class Device implements Poller {
  time = 0;
  rounds = 0;
  readonly naps: number[] = [];
  readonly #work: { until: number; end: () => void }[] = [];

  now() {
    return this.time;
  }

  nap(ms: number) {
    this.naps.push(ms);
    this.time += ms;
  }

  async round() {
    this.rounds++;
    this.time += ROUND;
    for (const { until, end } of this.#work) if (until <= this.time) end();
  }

  /** Ends, by `end`, when a poll finds that so many milliseconds are over. */
  work(ms: number, fail?: Error): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#work.push({ until: this.time + ms, end: () => (fail ? reject(fail) : resolve("done")) });
    });
  }

  async wait(ms: number): Promise<number> {
    const start = this.time;
    expect(await patiently(this.work(ms), this)).toBe("done");
    return this.time - start;
  }
}

test("no wait becomes longer by more than a twentieth or the shortest nap, whatever was waited for before", async () => {
  const device = new Device();
  for (const ms of [200, 2.6, 1000, 2.6, 0.3, 59, 2.6, 84, 0.05, 2.6]) {
    const took = await device.wait(ms);
    expect(took).toBeGreaterThan(ms - 1e-6);
    expect(took).toBeLessThan(Math.max(1.05 * ms, ms + 0.06) + 2 * ROUND);
  }
});

test("a long wait is nearly all napped, by naps that no signal waits for", async () => {
  const device = new Device();
  const took = await device.wait(300);
  const napped = device.naps.reduce((sum, ms) => sum + ms, 0);
  expect(napped).toBeGreaterThan(0.97 * took);
  expect(device.rounds).toBeLessThan(400);
  expect(Math.max(...device.naps)).toBeLessThanOrEqual(2);
});

test("work of a moment leaves the driver its cores too, by naps as short as there are", async () => {
  const device = new Device();
  await device.wait(1);
  expect(new Set(device.naps)).toEqual(new Set([0.06]));
  expect(device.naps.length).toBeGreaterThan(10);
});

test("what fails is passed on", async () => {
  const device = new Device();
  const lost = new Error("lost");
  await expect(patiently(device.work(20, lost), device)).rejects.toBe(lost);
});
