import type { Poller } from "./platform/platform.ts";

/** Of the time a wait has taken so far, the share that the next nap may take. */
const SHARE = 0.04;
/** Milliseconds: a thread sleeps no less than about 0.06, and a signal should not wait for longer than a few. */
const [SHORTEST, LONGEST] = [0.06, 2];

/**
 * Waits for a software driver without taking a core from it. While a promise of the device is pending, Dawn's binding
 * for Node polls it on every round of the event loop, as fast as that goes round, on a core that the driver's own threads
 * need: a driver that deals out a dispatch in equal parts is as slow as the thread that has to share a core. So the loop
 * naps between rounds, from the first on: for as little as a thread can, or for a share of what the wait has taken so far,
 * so that no wait becomes longer by more than that, whatever it is for.
 */
export async function patiently<T>(wait: Promise<T>, poller: Poller): Promise<T> {
  const start = poller.now();
  let pending = true;
  const settled = () => {
    pending = false;
  };
  wait.then(settled, settled);
  await poller.round();
  while (pending) {
    poller.nap(Math.min(LONGEST, Math.max(SHORTEST, SHARE * (poller.now() - start))));
    await poller.round();
  }
  return wait;
}
