// Copies the content of a file, without writing its holes, and its extended attributes.
import type { Bytes, Calls } from "./calls.ts";
import {
  E2BIG,
  EACCES,
  EINVAL,
  ENODATA,
  ENOSPC,
  ENOSYS,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  succeeded,
} from "./errno.ts";
import { SEEK_DATA, SEEK_HOLE } from "./libc.ts";
import type { Work } from "./work.ts";

/** A file that is open for reading and one that is open for writing. */
export interface OpenPair {
  readonly from: number;
  readonly to: number;
  /** Paths for error messages. */
  readonly fromPath: string;
  readonly toPath: string;
}

/** What to copy of a file, and how. */
export interface ContentRequest extends OpenPair {
  readonly sizeBytes: number;
  /** `look for holes` if fewer bytes are allocated than the size says. */
  readonly holes: "look for holes" | "none";
  /** The buffer; its length is how much is read and written at a time. */
  readonly buffer: Bytes;
  /** Called with the first piece before it is written. May throw to stop. */
  readonly onStart?: (bytes: Bytes, length: number) => void;
  /** Called after each piece; the next piece waits for a promise. May throw to stop. */
  readonly onBytes: (sizeBytes: number) => Promise<number> | undefined;
}

/**
 * Copies the whole content. Returns how many bytes the file had: fewer than `sizeBytes` if it ended early, more if it grew.
 * Throws a SystemCallError. After a read error no bytes are written instead of the missing ones.
 */
export function* copyContent(calls: Calls, request: ContentRequest): Work<number> {
  const { sizeBytes, holes } = request;
  if (holes === "none" || !(yield* tellsHoles(calls, request))) return yield* copyRange(calls, request, 0, Infinity);
  const reached = yield* copyAroundHoles(calls, request, 0, sizeBytes);
  if (reached === sizeBytes) succeeded(yield calls.ftruncate(request.to, sizeBytes), "truncate", request.toPath);
  return reached;
}

/** Copies a part of a file; `end` is exclusive. Returns the offset at which reading ended. */
export function* copyRange(calls: Calls, request: ContentRequest, start: number, end: number): Work<number> {
  const { from, to, buffer, sizeBytes, holes } = request;
  let offset = start;
  // Stop after the expected size: a growing file may grow faster than it can be read.
  while (offset < end && offset <= sizeBytes) {
    const wanted = Math.min(buffer.length, end - offset);
    const length = succeeded(yield calls.pread(from, buffer, wanted, offset), "read", request.fromPath);
    if (length === 0) break;
    if (offset === 0) request.onStart?.(buffer, length);
    const isHole = holes === "look for holes" && isZero(buffer, length);
    if (!isHole) yield* writeAll(calls, request, length, offset);
    offset += length;
    const pause = request.onBytes(length);
    if (pause !== undefined) yield pause;
    // A short read at the expected size means the end of the file: save another read.
    if (length < wanted && offset === sizeBytes) break;
  }
  // If zeros at the end were not written, set the size.
  if (holes === "look for holes" && end === Infinity) {
    succeeded(yield calls.ftruncate(to, offset), "truncate", request.toPath);
  }
  return offset;
}

function* writeAll(calls: Calls, { to, toPath, buffer }: ContentRequest, length: number, offset: number): Work<void> {
  let written = 0;
  while (written < length) {
    const bytes = written === 0 ? buffer : buffer.subarray(written);
    const answer = succeeded(yield calls.pwrite(to, bytes, length - written, offset + written), "write", toPath);
    if (answer === 0) throw new Error(`write '${toPath}' took no bytes`);
    written += answer;
  }
}

/**
 * Whether a file system reports the holes of a file. Called once for a whole file, before any part is copied: a file system
 * that reports a file with content as one hole does the same for each part.
 */
export function* tellsHoles(calls: Calls, file: Pick<ContentRequest, SampledFile>): Work<boolean> {
  const data = yield calls.lseek(file.from, 0, SEEK_DATA);
  if (data === -EINVAL || data === -EOPNOTSUPP) return false;
  if (data === -ENXIO) return yield* looksEmpty(calls, file);
  succeeded(data, "seek", file.fromPath);
  return true;
}

/**
 * Copies the data in a part of a file and skips its holes, if {@linkcode tellsHoles} is true. Returns the offset at which
 * reading ended. The caller sets the size of the file.
 */
export function* copyAroundHoles(calls: Calls, request: ContentRequest, start: number, end: number): Work<number> {
  const { from, sizeBytes } = request;
  let offset = start;
  while (offset < end) {
    const data = yield calls.lseek(from, offset, SEEK_DATA);
    if (data === -ENXIO) {
      request.onBytes(end - offset);
      return end;
    }
    succeeded(data, "seek", request.fromPath);
    request.onBytes(Math.min(data, end) - offset);
    if (data >= end) return end;
    const hole = succeeded(yield calls.lseek(from, data, SEEK_HOLE), "seek", request.fromPath);
    const dataEnd = Math.min(hole, end, sizeBytes);
    const reached = yield* copyRange(calls, { ...request, holes: "none" }, data, dataEnd);
    if (reached < dataEnd) return reached;
    offset = dataEnd;
  }
  return end;
}

const SAMPLES = 16;

type SampledFile = "from" | "fromPath" | "sizeBytes" | "buffer";

/**
 * Reads samples of a file that the file system reports as one hole. Some file systems do so although the content is beside the
 * inode, on tape or behind FUSE; such a file is read as a whole.
 */
function* looksEmpty(
  calls: Calls,
  { from, fromPath, sizeBytes, buffer }: Pick<ContentRequest, SampledFile>,
): Work<boolean> {
  const length = Math.min(buffer.length, 64 * 1024);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const last = Math.max(0, sizeBytes - length);
    const offset = Math.floor(last * sample / (SAMPLES - 1));
    const read = succeeded(yield calls.pread(from, buffer, length, offset), "read", fromPath);
    if (!isZero(buffer, read)) return false;
  }
  return true;
}

function isZero(bytes: Bytes, length: number): boolean {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, length >> 3);
  for (const word of words) if (word !== 0n) return false;
  for (let index = length - (length & 7); index < length; index++) if (bytes[index] !== 0) return false;
  return true;
}

/** Whether each file system supports extended attributes; learned from the first file that is asked. */
export class AttributeSupport {
  #from: "unknown" | "none" = "unknown";
  #to: "unknown" | "none" = "unknown";

  /** Whether it is worth asking a file for its attributes. */
  get isWorthAsking(): boolean {
    return this.#from !== "none" && this.#to !== "none";
  }

  missing(side: "from" | "to"): void {
    if (side === "from") this.#from = "none";
    else this.#to = "none";
  }
}

/** A size that is enough for most files, and the largest possible one (XATTR_LIST_MAX, xattr(7)). */
const NAMES_BYTES = { usual: 1024, most: 64 * 1024 };
const VALUE_BYTES = 64 * 1024;
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** Attributes that are copied: the user's own, and access control lists (xattr(7), acl(5)). */
const COPIED = /^(user\.|system\.posix_acl_(access|default)$)/;

/** Answers of a file or directory that cannot have an attribute. This is no error: support is optional. */
const REFUSALS: readonly number[] = [-EOPNOTSUPP, -ENOSYS, -EPERM, -EACCES, -EINVAL, -E2BIG, -ERANGE];

/** ext4 answers ENOSPC also for an attribute larger than a block (xattr(7)). For an ACL it means a full disk. */
function isRefusal(answer: number, name: string): boolean {
  return REFUSALS.includes(answer) || (answer === -ENOSPC && name.startsWith("user."));
}

/** Answers of a file that has no attributes, or none that this user may see. */
const NO_ATTRIBUTES: readonly number[] = [0, -EOPNOTSUPP, -ENOSYS, -EPERM, -EACCES];

/** The names of an open file's attributes that are to be copied. Throws a SystemCallError if they can't be read. */
export function* listAttributes(
  calls: Calls,
  { from, fromPath }: Pick<OpenPair, "from" | "fromPath">,
  support: AttributeSupport,
): Work<string[]> {
  if (!support.isWorthAsking) return [];
  let names = new Uint8Array(NAMES_BYTES.usual);
  let length = yield calls.flistxattr(from, names);
  if (length === -ERANGE) {
    names = new Uint8Array(NAMES_BYTES.most);
    length = yield calls.flistxattr(from, names);
  }
  if (length === -EOPNOTSUPP || length === -ENOSYS) support.missing("from");
  if (NO_ATTRIBUTES.includes(length)) return [];
  succeeded(length, "listxattr", fromPath);
  return DECODER.decode(names.subarray(0, length)).split("\0").filter((name) => COPIED.test(name));
}

/** Copies attributes; those that the receiving side refuses are skipped. Throws a SystemCallError for a failed read. */
export function* copyAttributes(
  calls: Calls,
  names: readonly string[],
  pair: OpenPair,
  support: AttributeSupport,
): Work<void> {
  for (const name of names) {
    const key = ENCODER.encode(`${name}\0`);
    const value = new Uint8Array(VALUE_BYTES);
    const length = yield calls.fgetxattr(pair.from, key, value);
    if (length === -ENODATA) continue;
    succeeded(length, `getxattr ${name}`, pair.fromPath);
    const answer = yield calls.fsetxattr(pair.to, key, value, length);
    if (answer === -EOPNOTSUPP || answer === -ENOSYS) support.missing("to");
    if (!isRefusal(answer, name)) succeeded(answer, `setxattr ${name}`, pair.toPath);
  }
}
