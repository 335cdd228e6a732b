// Gives a file its name in a live directory. Besides this module, only replaced_database.ts does that, to restore old files.
// However the bytes were copied, they are complete in a temporary file on the same file system by then. A new name is made only
// if it is free (renameat2(2) with RENAME_NOREPLACE, or linkat(2) where the file system lacks that); a file to be replaced is
// checked once more just before.
import type { Bytes, Calls } from "../posix/calls.ts";
import { EEXIST, EINVAL, EMLINK, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, succeeded } from "../posix/errno.ts";
import { RENAME_NOREPLACE } from "../posix/libc.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { TransferPolicy } from "./decide.ts";
import { type Entry, type EntryState, sameContent } from "./entry.ts";
import { entriesIn } from "./entry_text.ts";
import { lookAt } from "./jobs/list.ts";

/** A temporary file that is complete, and the name it gets. */
export interface Publication {
  readonly temporaryDirectory: number;
  readonly temporaryName: Bytes;
  readonly tree: Tree;
  readonly directory: string;
  readonly name: string;
  /** The state that the name gets. */
  readonly entry: EntryState;
  /** The state of the name when the transfer was planned. */
  readonly replaces: EntryState | undefined;
  readonly policy: TransferPolicy;
}

/** `changed there`: another program wrote there after the plan was made, and its file stays. */
export type PublicationOutcome = "published" | "changed there";

/** Gives a temporary file its name. Throws a SystemCallError, and keeps the temporary file then. */
export function* publish(publication: Publication): Work<PublicationOutcome> {
  const { tree, directory, name } = publication;
  for (let tries = 0; tries < 3; tries++) {
    const now = yield* entryAt(tree, directory, name);
    if (!mayWrite(publication, now)) return "changed there";
    const handle = yield* tree.open(directory);
    try {
      const answer = now === undefined ? yield* renameNew(tree.calls, publication, handle) : yield tree.calls.renameat2(
        publication.temporaryDirectory,
        publication.temporaryName,
        handle,
        cString(name),
        0,
      );
      // Another program made the name first: look again at its file.
      if (answer === -EEXIST) continue;
      succeeded(answer, "rename", tree.pathOf(directory, name));
      return "published";
    } finally {
      tree.release(directory);
    }
  }
  return "changed there";
}

/** The entry that has a name now; undefined if none has. */
export function* entryAt(tree: Tree, directory: string, name: string): Work<Entry | undefined> {
  const text = yield* lookAt(tree, directory, name);
  return text === undefined ? undefined : entriesIn(text)[0];
}

/** Whether a name still has the planned state, or already the state that it should get. */
export function mayWrite(
  { entry, replaces, policy }: Pick<Publication, "entry" | "replaces" | "policy">,
  now: EntryState | undefined,
): boolean {
  if (isStill(replaces, now) || (now !== undefined && sameContent(entry, now))) return true;
  // Missing on scratch: purged, may be written again. Missing at the source: deleted by the user, must not be.
  return now === undefined && policy !== "push";
}

/** Whether a name still has the type, size and time of the plan. */
export function isStill(before: EntryState | undefined, now: EntryState | undefined): boolean {
  return before === undefined || now === undefined ? before === now : sameContent(before, now);
}

function* renameNew(calls: Calls, publication: Publication, handle: number): Work<number> {
  const { temporaryDirectory, temporaryName, name } = publication;
  const newName = cString(name);
  const renamed = yield calls.renameat2(temporaryDirectory, temporaryName, handle, newName, RENAME_NOREPLACE);
  if (renamed !== -EINVAL && renamed !== -ENOSYS) return renamed;
  const linked = yield calls.linkat(temporaryDirectory, temporaryName, handle, newName);
  if (linked === -EPERM || linked === -EOPNOTSUPP || linked === -ENOSYS || linked === -EMLINK) {
    // The file system has no hard links: check once more whether the name is free.
    if ((yield* entryAt(publication.tree, publication.directory, name)) !== undefined) return -EEXIST;
    return yield calls.renameat2(temporaryDirectory, temporaryName, handle, newName, 0);
  }
  if (linked < 0) return linked;
  const removed = yield calls.unlinkat(temporaryDirectory, temporaryName, 0);
  return removed === -ENOENT ? 0 : removed;
}
