import type { RunRecord } from "../../bench/schema.ts";
import { FINE } from "../../engine/stopwatch.ts";
import { number } from "../format.ts";

/** Milliseconds from one value of performance.now() to the next: browsers make it coarse on purpose. */
export function clockStep(): number {
  let least = Infinity;
  const end = performance.now() + 20;
  for (let before = performance.now(); before < end; ) {
    const now = performance.now();
    if (now > before) least = Math.min(least, now - before);
    before = now;
  }
  return least;
}

/** Which clocks a run's times are by, and what they are worth, in words. */
export function clocksInWords({ timestampStep, driver }: RunRecord, step: number): string {
  const wall =
    `Times are by the page's clock, from the first launch to the end of the wait; the browser, which makes ` +
    `it coarse on purpose, counts it in steps of ${number(1000 * step, 2)} µs.`;
  const gpu =
    timestampStep === undefined
      ? "The device gives no timestamps here, so that the wait for it is part of every time."
      : `Beside them stand the device's own timestamps, in steps of ${number(1000 * timestampStep, 2)} µs` +
        (timestampStep > FINE ? ", too coarse for rates to be of them." : ".");
  const software = driver.software
    ? " A processor plays GPU: these are the processor's rates, and tell nothing of a graphics card."
    : "";
  return `${wall} ${gpu}${software}`;
}
