import { granted } from "./granted.ts";

/** Texts kept from one run to the next: in the user's cache folder, or in a browser's storage. */
export interface TextCache {
  /** Undefined where there is none of that name, or it cannot be read. */
  read(name: string): Promise<string | undefined>;
  /**
   * Replaces a text as a whole by what `change` makes of it: a reader never meets half of it, and of two that change it at
   * once the second is given what the first wrote. Throws UsageError where it cannot be written.
   */
  update(name: string, change: (text: string | undefined) => string): Promise<void>;
  /** Where a text of that name is kept, for people. */
  place(name: string): string;
}

/** The cache of the place this program runs in, loaded when first used: see index.ts. */
export async function openCache(): Promise<TextCache> {
  const { process } = globalThis as { process?: { versions?: { node?: string }; type?: string } };
  const files = process?.versions?.node !== undefined && process.type !== "renderer";
  return (files ? await import("./node-cache.ts") : await import("./browser-cache.ts")).cache;
}

/** What STEIN_AUTOTUNE says; nothing in a browser, and where Deno may not read it. */
export function autotuneVariable(): string | undefined {
  const variable = "STEIN_AUTOTUNE";
  if (!granted({ name: "env", variable })) return undefined;
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[variable] || undefined;
}
