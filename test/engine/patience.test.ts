import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Patience } from "../../engine/patience.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const takes = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Milliseconds from the submit until the device is asked, for work up to the `sent`-th dispatch that lasts `ms`. */
async function delay(patience: Patience, sent: number, ms: number): Promise<number> {
  const start = performance.now();
  let asked = Number.NaN;
  patience.submitted();
  const done = patience.during(sent, () => {
    asked = performance.now() - start;
    return takes(Math.max(0, ms - asked))();
  });
  await vi.advanceTimersByTimeAsync(10_000);
  await done;
  return asked;
}

test("work of unknown length is waited for at once, known work after most of its time", async () => {
  const patience = new Patience();
  expect(await delay(patience, 10, 100)).toBe(0);
  expect(await delay(patience, 20, 100)).toBeCloseTo(70, -1);
});

test("work of another size is unknown", async () => {
  const patience = new Patience();
  await delay(patience, 10, 100);
  expect(await delay(patience, 15, 100)).toBe(0);
});

test("work that became faster is asked for earlier and earlier", async () => {
  const patience = new Patience();
  await delay(patience, 10, 1000);
  const delays: number[] = [];
  for (let i = 2; i < 8; i++) delays.push(await delay(patience, 10 * i, 50));
  expect(delays[0]).toBeGreaterThan(600);
  expect(delays.at(-1)).toBeLessThan(150);
  expect([...delays].sort((a, b) => b - a)).toEqual(delays);
});

test("short work is not slept for", async () => {
  const patience = new Patience();
  await delay(patience, 10, 4);
  expect(await delay(patience, 20, 4)).toBe(0);
});
