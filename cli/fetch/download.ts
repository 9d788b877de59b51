import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { sizeOf } from "../../data/files.ts";
import { UsageError } from "../../engine/errors.ts";
import { rename } from "../../engine/platform/replace-file.ts";
import { isFolder } from "../is-folder.ts";

interface Download {
  url: string;
  /** Where the file is to lie in the end; until it is whole and right, PATH.part lies there. */
  path: string;
  md5: string;
  /** Told how many bytes there are so far, and of how many, where the server tells. */
  onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** Milliseconds without a byte after which a connection counts as dead. */
  patience?: number;
}

/** Connections that bring nothing new before it is given up; those that bring some do not count. */
const FRUITLESS = 3;

/**
 * Downloads a file. A part that an earlier call left, or a connection that broke, is gone on from by an HTTP range. The
 * file takes its name once its sum is right. Throws UsageError: no connection, an answer other than the file, another
 * sum; what was brought stays for the next call, unless its sum was wrong.
 */
export async function download(job: Download): Promise<void> {
  const part = `${job.path}.part`;
  make(job.path);
  for (const file of [job.path, part]) refuseFolder(file);
  for (let fruitless = 0; ; ) {
    const before = lengthOf(part);
    const fault = await connect(job, part);
    if (fault === undefined) break;
    fruitless = lengthOf(part) > before ? 0 : fruitless + 1;
    if (fruitless >= FRUITLESS) {
      throw new UsageError(
        `fetch: the connection to ${job.url} broke off at ${lengthOf(part)} bytes, again and again (${fault}), ` +
          `expected the whole file; the same command goes on from there`,
      );
    }
  }
  const md5 = await md5Of(part);
  if (md5 !== job.md5) {
    rmSync(part, { force: true });
    throw new UsageError(
      `fetch: got a file with MD5 ${md5} from ${job.url}, expected ${job.md5}; ` +
        `it was damaged on the way or is another one: try again, or give another --from`,
    );
  }
  rename(part, job.path);
}

/** The MD5 sum of a file, in hexadecimal digits. */
export async function md5Of(path: string): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** One connection, to the end of the file or until it breaks: then why. Throws UsageError where trying again is vain. */
async function connect(job: Download, part: string): Promise<string | undefined> {
  const { url, patience = 30_000 } = job;
  const dead = new AbortController();
  const timer = setTimeout(() => dead.abort(new Error("nothing came for a while")), patience);
  try {
    const from = lengthOf(part);
    const response = await request(job, from, dead.signal);
    if (response.status === 416 && from > 0) {
      await response.body?.cancel();
      const whole = Number(/\*\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]);
      if (whole === from) return undefined; // all of it is there
      rmSync(part, { force: true });
      return "the part on disc did not fit the file";
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new UsageError(
        `fetch: ${url} answered ${response.status} ${response.statusText}, expected the file; ` +
          `give another --from, or put the file into ${dirname(job.path)} by hand`,
      );
    }
    return await receive(response, job, part, from, timer);
  } finally {
    clearTimeout(timer);
  }
}

async function request({ url, path }: Download, from: number, signal: AbortSignal): Promise<Response> {
  try {
    // A file packed once more on its way could not be gone on from.
    const headers = { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) };
    return await fetch(url, { headers, signal });
  } catch (cause) {
    throw new UsageError(
      `fetch: cannot reach ${url} (${reason(cause)}), expected a connection; ` +
        `check the network, give another --from, or put the file into ${dirname(path)} by hand`,
      { cause },
    );
  }
}

async function receive(
  response: Response,
  { path, onProgress }: Download,
  part: string,
  from: number,
  timer: NodeJS.Timeout,
): Promise<string | undefined> {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  const goesOn = response.status === 206 && Number(range?.[1]) === from;
  let done = goesOn ? from : 0; // a server without ranges sends it all again
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const total = Number.isFinite(length) ? done + length : undefined;
  if (response.status === 206 && !goesOn) {
    await response.body?.cancel();
    rmSync(part, { force: true });
    return "the server sent another range than asked for";
  }
  const file = await openPart(part, goesOn ? "a" : "w", path);
  try {
    onProgress?.(done, total);
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      timer.refresh();
      await write(file, chunk, path);
      done += chunk.length;
      onProgress?.(done, total);
    }
    await file.sync();
    return total !== undefined && done < total ? "it ended too early" : undefined;
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    return reason(cause);
  } finally {
    await file.close();
  }
}

type Part = Awaited<ReturnType<typeof open>>;

async function openPart(part: string, flags: "a" | "w", path: string): Promise<Part> {
  try {
    return await open(part, flags);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

async function write(file: Part, chunk: Uint8Array, path: string): Promise<void> {
  try {
    await file.writeFile(chunk);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function make(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function refuseFolder(file: string): void {
  if (isFolder(file))
    throw new UsageError(
      `fetch: got ${file}, which is a folder, expected a file or nothing there; move it away`,
    );
}

const cannotWrite = (path: string, cause: unknown) =>
  new UsageError(
    `fetch: cannot write ${path} (${reason(cause)}), expected a writable place; check the folder and its space`,
    { cause },
  );

const lengthOf = (part: string): number => sizeOf(part) ?? 0;

/** What fetch hides behind "fetch failed" and "terminated". */
function reason(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const { code } = inner as NodeJS.ErrnoException;
  return code ?? (inner instanceof Error ? inner.message : String(inner));
}
