// The checksum of a file too large for memory.
import { createHash } from "node:crypto";

const PIECE_BYTES = 4 * 1024 * 1024;

/** The sha256 of a file, in hexadecimal. Throws the signal's reason when it is aborted. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  for (let read: number | null; (read = await file.read(piece)) !== null;) {
    signal.throwIfAborted();
    hash.update(piece.subarray(0, read));
  }
  return hash.digest("hex");
}
