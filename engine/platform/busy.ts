/** What Windows says while another process, such as a virus scanner or a reader, has a file open or it is about to go. */
const BUSY = new Set(["EPERM", "EACCES", "EBUSY"]);

interface Patience {
  /** Where this runs. */
  platform?: NodeJS.Platform;
  /** Milliseconds to go on trying. */
  most?: number;
}

/**
 * Makes, replaces or removes a file: on Windows again and again for a second while another process is in the way, which
 * elsewhere is none. Throws what `act` throws.
 */
export function whileBusy<T>(act: () => T, { platform = process.platform, most = 1000 }: Patience = {}): T {
  const since = performance.now();
  for (let wait = 1; ; wait = Math.min(2 * wait, 50)) {
    try {
      return act();
    } catch (cause) {
      const { code = "" } = cause as NodeJS.ErrnoException;
      if (platform !== "win32" || !BUSY.has(code) || performance.now() - since > most) throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
    }
  }
}
