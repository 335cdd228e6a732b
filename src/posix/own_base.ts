// The directory on scratch below which every opened directory has to belong to the user: the path from there to a tree's root
// is opened component by component, and each is checked. This refuses a directory exchanged after the path check.
import type { Calls } from "./calls.ts";
import { ELOOP, ENOTDIR, EPERM } from "./errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  STATX_ASKED,
} from "./libc.ts";
import { readStatus, STATUS_BYTES } from "./status.ts";
import { cString, EMPTY_NAME } from "./file_names.ts";
import type { Work } from "./work.ts";

/** A directory, and the user who has to own everything below it. */
export interface OwnBase {
  /** Absolute. */
  readonly path: string;
  readonly userId: number;
}

let base: OwnBase | undefined;

/** Sets the directory for this isolate; a Worker gets it with its first message. */
export function setOwnBase(own: OwnBase | undefined): void {
  base = own;
}

/** The directory that was set. */
export function ownBase(): OwnBase | undefined {
  return base;
}

const DIRECTORY_FLAGS = O_PATH | O_DIRECTORY | O_CLOEXEC;

/** Opens a directory by its absolute path, for calls relative to it. Returns the handle or a negative error number. */
export function* openRoot(calls: Calls, path: string): Work<number> {
  if (base === undefined || (path !== base.path && !path.startsWith(`${base.path}/`))) {
    return yield calls.openat(AT_FDCWD, cString(path), DIRECTORY_FLAGS, 0);
  }
  const { userId } = base;
  const names = path.slice(base.path.length).split("/").filter((name) => name !== "");
  let handle = yield* checked(calls, yield calls.openat(AT_FDCWD, cString(base.path), DIRECTORY_FLAGS, 0), userId);
  for (const name of names) {
    if (handle < 0) return handle;
    const next: number = yield* openOwn(calls, handle, name, userId);
    calls.closeHandle(handle);
    handle = next;
  }
  return handle;
}

/** Opens one component; a link is followed if it belongs to us or root. */
function* openOwn(calls: Calls, above: number, name: string, userId: number): Work<number> {
  const opened = yield calls.openat(above, cString(name), DIRECTORY_FLAGS | O_NOFOLLOW, 0);
  if (opened !== -ENOTDIR && opened !== -ELOOP) return yield* checked(calls, opened, userId);
  const status = new Uint8Array(STATUS_BYTES);
  const answer = yield calls.statx(above, cString(name), AT_SYMLINK_NOFOLLOW, STATX_ASKED, status);
  if (answer < 0) return answer;
  if (readStatus(status).kind !== "l") return opened;
  if (!isTrusted(status, userId)) return -EPERM;
  return yield* checked(calls, yield calls.openat(above, cString(name), DIRECTORY_FLAGS, 0), userId);
}

/** The handle, if the directory belongs to us or root; otherwise a negative error number. */
function* checked(calls: Calls, handle: number, userId: number): Work<number> {
  if (handle < 0) return handle;
  const status = new Uint8Array(STATUS_BYTES);
  const answer = yield calls.statx(handle, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, status);
  if (answer >= 0 && isTrusted(status, userId)) return handle;
  calls.closeHandle(handle);
  return answer < 0 ? answer : -EPERM;
}

function isTrusted(status: Uint8Array<ArrayBuffer>, userId: number): boolean {
  const owner = readStatus(status).userId;
  return owner === userId || owner === 0;
}
