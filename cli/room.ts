import { UsageError } from "../engine/errors.ts";

/** Bytes of images: a file of a drawing's state, and an array in samples.npz, hold 4 GiB at most. */
const ROOM = 2 ** 32 - 2 ** 28;

/** Throws UsageError, before they are drawn, for more images [c,h,w] than one array holds; `mend` ends its message. */
export function requireRoom(who: string, count: number, image: readonly number[], mend: string): void {
  const most = Math.floor(ROOM / (4 * image.reduce((a, b) => a * b, 1)));
  if (count > most)
    throw new UsageError(
      `${who}: got ${count} images of ${image.join("x")}, expected at most ${most} in one go; ${mend}`,
    );
}
