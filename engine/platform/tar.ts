/** The plain files of a tar archive by their name without folders. Enough for ustar names below 100 letters. */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> {
  const text = (from: number, length: number) => {
    const bytes = archive.subarray(from, from + length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  };

  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const name = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12), 8) || 0;
    const kind = text(at + 156, 1); // "0", or "" in old archives: a plain file
    const body = at + 512;
    if (kind === "0" || kind === "") files.set(name.split("/").pop()!, archive.subarray(body, body + size));
    at = body + 512 * Math.ceil(size / 512);
  }
  return files;
}
