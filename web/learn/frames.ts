/** Resolves before the next picture, or when the signal is aborted: a hidden page has no next picture. */
export function nextFrame(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      cancelAnimationFrame(frame);
      resolve();
    };
    const frame = requestAnimationFrame(done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/** Says yes at most once in so many milliseconds, the first time at once. */
export function often(milliseconds: number): () => boolean {
  let next = -Infinity;
  return () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + milliseconds;
    return true;
  };
}
