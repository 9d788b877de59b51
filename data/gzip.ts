import { gunzipSync } from "fflate";
import { UsageError } from "../engine/errors.ts";

const MOST_DEFLATE_SAVES = 1032; // times; a gzip file that claims more was cut short

/**
 * The bytes themselves, or unpacked where they are gzip, which shows in the first two and not in the file's name. who
 * begins the message of the UsageError on a damaged file.
 */
export function unpacked(bytes: Uint8Array, name: string, who: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzip(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(
      `${who}: got ${name} of ${bytes.length} bytes, expected a whole gzip file (${reason}); ` +
        `download it again`,
      { cause },
    );
  }
}

function gunzip(bytes: Uint8Array): Uint8Array {
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(
    bytes.length - 4,
    true,
  );
  if (claimed > bytes.length * MOST_DEFLATE_SAVES) throw new Error("it ends too early");
  return gunzipSync(bytes);
}
