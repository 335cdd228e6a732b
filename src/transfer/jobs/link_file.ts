// Gives a file of a private tree another name (linkat(2)) instead of copying it: a copy takes time and space.
import { ENOENT, succeeded, SystemCallError } from "../../posix/errno.ts";
import type { Bytes, Calls } from "../../posix/calls.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../posix/libc.ts";
import { cString } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { DatabaseFound, isDatabase, isPlainFile } from "../database_files.ts";
import type { Entry } from "../entry.ts";

/** A file of the sending side, and the private name that it gets. */
export interface FileLink {
  readonly from: number;
  readonly entry: Entry;
  readonly replaces: Entry | undefined;
  readonly to: number;
  readonly name: Bytes;
  readonly path: string;
}

/**
 * Links the file, which is synced first. False if it has to be copied: it is no regular file, the file it replaces has other
 * permissions, which a push leaves as they are, or the file system has no hard links between directories. Throws a
 * DatabaseFound, and a SystemCallError if the file cannot be opened or synced.
 */
export function* linkFile(
  { from, entry, replaces, to, name, path }: FileLink,
  durability: "durable" | "fast",
  calls: Calls,
): Work<boolean> {
  if (entry.type !== "file" || (replaces !== undefined && replaces.mode !== entry.mode)) return false;
  const sourceName = cString(entry.name);
  const file = yield calls.openat(from, sourceName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (file === -ENOENT) throw new SystemCallError(ENOENT, "open", path);
  if (file < 0) return false;
  try {
    if (isPlainFile(entry) && (yield* isDatabase(calls, file, entry.sizeBytes))) throw new DatabaseFound();
    if (durability === "durable") succeeded(yield calls.fsync(file), "fsync", path);
  } finally {
    calls.closeHandle(file);
  }
  return (yield calls.linkat(from, sourceName, to, name)) >= 0;
}
