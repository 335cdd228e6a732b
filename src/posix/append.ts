// Appends to a file of ours. It is opened through the handle of its directory, without following a link or blocking on a FIFO.
import type { Bytes, Calls } from "./calls.ts";
import { EISDIR, ELOOP, ENXIO, succeeded } from "./errno.ts";
import { cString, EMPTY_NAME, splitAbsolute } from "./file_names.ts";
import { AT_EMPTY_PATH, O_APPEND, O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, STATX_ASKED } from "./libc.ts";
import { openRoot } from "./own_base.ts";
import { readStatus, STATUS_BYTES } from "./status.ts";
import type { Work } from "./work.ts";

/** Why a file is not used: it is not a regular file that only we own. */
export interface NotOwn {
  readonly fault: string;
}

const FAULTS: Readonly<Record<number, string>> = {
  [ELOOP]: "it is a symbolic link",
  [EISDIR]: "it is not a file",
  // open(2) answers ENXIO for a FIFO that no process reads.
  [ENXIO]: "it is not a file",
};

/** Opens or makes (0600) a regular file of the user that has no second hard link. Throws a SystemCallError. */
export function* openToAppend(calls: Calls, path: string, userId: number): Work<number | NotOwn> {
  const [directory, name] = splitAbsolute(path);
  const above = succeeded(yield* openRoot(calls, directory), "open", directory);
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const opened = yield calls.openat(above, cString(name), flags, 0o600);
    const known = FAULTS[-opened];
    if (known !== undefined) return { fault: known };
    const file = succeeded(opened, "open", path);
    const bytes = new Uint8Array(STATUS_BYTES);
    const looked = yield calls.statx(file, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes);
    const fault = looked < 0 ? undefined : faultOf(bytes, userId);
    if (looked >= 0 && fault === undefined) return file;
    calls.closeHandle(file);
    succeeded(looked, "stat", path);
    return { fault: fault! };
  } finally {
    calls.closeHandle(above);
  }
}

function faultOf(bytes: Bytes, userId: number): string | undefined {
  const { kind, links, userId: owner } = readStatus(bytes);
  if (kind !== "f") return "it is not a file";
  if (owner !== userId) return "it belongs to another user";
  return links > 1 ? "it has another name besides" : undefined;
}

/** Appends bytes. Throws a SystemCallError; part of the bytes may have been written then. */
export function* appendBytes(calls: Calls, file: number, bytes: Bytes, path: string): Work<void> {
  for (let written = 0; written < bytes.length;) {
    const piece = bytes.subarray(written);
    // O_APPEND: Linux writes at the end of the file and ignores the offset (pwrite(2), BUGS).
    const answer = succeeded(yield calls.pwrite(file, piece, piece.length, 0), "write", path);
    if (answer === 0) throw new Error(`write '${path}' took no bytes`);
    written += answer;
  }
}
