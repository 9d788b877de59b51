import { expect, test } from "vitest";
import { LowestFirst } from "../../engine/lowest-first.ts";

/** Numbers in [0, n) by Lehmer's generator. */
function numbers(): (n: number) => number {
  let state = 1;
  return (n) => (state = (state * 48271) % 2147483647) % n;
}

test("takes the lowest first, whatever was added and taken before", () => {
  const below = numbers();
  const heap = new LowestFirst<{ id: number }>();
  const sorted: number[] = [];
  let next = 0;
  for (let i = 0; i < 3000; i++) {
    expect(heap.size).toBe(sorted.length);
    if (below(100) < 55) {
      const id = below(2) ? next++ : 100_000 - next++;
      heap.add({ id });
      sorted.push(id);
      sorted.sort((a, b) => a - b);
    } else expect(heap.take()?.id).toBe(sorted.shift());
  }
  expect(sorted.length).toBeGreaterThan(100);
  expect([...heap].map(({ id }) => id).sort((a, b) => a - b)).toEqual(sorted);
  for (const id of sorted) expect(heap.take()!.id).toBe(id);
  expect(heap.take()).toBeUndefined();
  expect(heap.size).toBe(0);
});

test("which one is taken depends on what is held, not on the order in which it came", () => {
  const ids = [4, 1, 5, 9, 2, 6];
  for (const order of [ids, ids.toReversed(), ids.toSorted()]) {
    const heap = new LowestFirst<{ id: number }>();
    for (const id of order) heap.add({ id });
    expect(ids.map(() => heap.take()!.id)).toEqual([1, 2, 4, 5, 6, 9]);
  }
});
