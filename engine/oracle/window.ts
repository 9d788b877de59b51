/** [vertical, horizontal]. */
export type Pair = readonly [number, number];

/** [top, bottom, left, right], each may differ; a negative one crops. */
export type Pads = readonly [number, number, number, number];

/**
 * Windows of an extent that fit in a padded length: floor((length + before + after - extent) / stride) + 1.
 */
export function windowCount(
  length: number,
  before: number,
  after: number,
  extent: number,
  stride: number,
): number {
  const count = Math.floor((length + before + after - extent) / stride) + 1;
  if (count < 1) {
    throw new RangeError(`windowCount: a window of ${extent} in ${length} padded by ${before} and ${after}`);
  }
  return count;
}
