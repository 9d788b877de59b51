/** The caller can mend it. One line, before any work: "who: got X, expected Y; mend". */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

/**
 * The device, its driver or a shader refused: names the kernel and, for a shader, the line of its WGSL (from
 * 1).
 */
export class DeviceError extends Error {
  kernel?: string;
  line?: number;

  constructor(message: string, options: ErrorOptions & { kernel?: string; line?: number } = {}) {
    super(message, options);
    this.name = "DeviceError";
    if (options.kernel !== undefined) this.kernel = options.kernel;
    if (options.line !== undefined) this.line = options.line;
  }
}

/** For our own bugs only: what the caller can get wrong is a UsageError. */
export function invariant(cond: unknown, message: string): asserts cond {
  if (!cond) throw new Error(`internal: ${message}`);
}

/**
 * The candidate meant by a misspelt word, for "did you mean"; undefined when none is within a third of its
 * length.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  const longer = Math.max(word.length, best?.length ?? 0);
  return bestDistance <= Math.max(1, Math.ceil(longer / 3)) ? best : undefined;
}

/** What a message says of a word that is none of the names: these, and which of them may have been meant. */
export function expectedOneOf(word: unknown, names: readonly string[]): string {
  const meant = nearest(String(word), names);
  return `expected one of ${names.join(", ")}${meant ? `; did you mean ${meant}?` : ""}`;
}

/** Levenshtein distance: insertions, deletions and replacements of one letter. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
