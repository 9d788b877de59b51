import { UsageError } from "../errors.ts";
import type { TextCache } from "./cache.ts";

const memory = new Map<string, string>();
const key = (name: string) => `stein/${name}`;

/** localStorage, or memory where there is none: in a worker, or where the user forbids it. */
export const cache: TextCache = {
  place: (name) => (storage() ? `localStorage ${key(name)}` : "memory, for as long as this page lives"),
  async read(name) {
    return stored(name);
  },
  async update(name, change) {
    const text = change(stored(name));
    memory.set(name, text);
    try {
      storage()?.setItem(key(name), text);
    } catch (cause) {
      throw new UsageError(
        `cache: cannot keep ${text.length} characters in localStorage (${(cause as Error).message}), ` +
          "expected room for them; clear this site's data",
        { cause },
      );
    }
  },
};

const stored = (name: string): string | undefined => storage()?.getItem(key(name)) ?? memory.get(name);

function storage(): Storage | undefined {
  try {
    return (globalThis as { localStorage?: Storage }).localStorage;
  } catch {
    return undefined; // forbidden
  }
}
