/** Things of which the one with the lowest id is taken first, in whichever order they were added: a binary heap. */
export class LowestFirst<T extends { readonly id: number }> implements Iterable<T> {
  /** No item has a lower id than the one at half its place. */
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]!.id < item.id) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  /** The one with the lowest id, which it holds no longer; undefined where it holds none. */
  take(): T | undefined {
    const items = this.#items;
    const lowest = items[0];
    const last = items.pop();
    if (last === undefined || last === lowest) return lowest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]!.id < items[child]!.id) child++;
      if (last.id < items[child]!.id) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return lowest;
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }
}
