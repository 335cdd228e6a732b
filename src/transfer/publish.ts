// The one module where a file gets its name in a directory that others use. Whatever carried the bytes, they are complete in a
// temporary file on the same file system by then. A new name appears only if nothing has it (renameat2(2) with
// RENAME_NOREPLACE, or linkat(2) where the file system does not know that); what is replaced is looked at once more just before.
import type { Bytes, Calls } from "../posix/calls.ts";
import { EEXIST, EINVAL, EMLINK, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, succeeded } from "../posix/errno.ts";
import { RENAME_NOREPLACE } from "../posix/libc.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { TransferPolicy } from "./decide.ts";
import { type Entry, type EntryState, sameContent } from "./entry.ts";
import { entriesIn } from "./entry_text.ts";
import { lookAt } from "./jobs/list.ts";

/** A temporary file that is complete, and the name it should get. */
export interface Publication {
  readonly temporaryDirectory: number;
  readonly temporaryName: Bytes;
  readonly tree: Tree;
  readonly directory: string;
  readonly name: string;
  /** What the name will have. */
  readonly entry: EntryState;
  /** What the plan saw under the name. */
  readonly replaces: EntryState | undefined;
  readonly policy: TransferPolicy;
}

/** `overtaken`: another program wrote there after the plan was made, and its file stays. */
export type PublicationOutcome = "published" | "overtaken";

/** Gives a temporary file its name. Throws a SystemCallError; the temporary file is still there then. */
export function* publish(publication: Publication): Work<PublicationOutcome> {
  const { tree, directory, name } = publication;
  for (let tries = 0; tries < 3; tries++) {
    const now = yield* entryAt(tree, directory, name);
    if (!mayWrite(publication, now)) return "overtaken";
    const handle = yield* tree.open(directory);
    try {
      const answer = now === undefined ? yield* renameNew(tree.calls, publication, handle) : yield tree.calls.renameat2(
        publication.temporaryDirectory,
        publication.temporaryName,
        handle,
        cString(name),
        0,
      );
      // Another program was faster: look again at what it made.
      if (answer === -EEXIST) continue;
      succeeded(answer, "rename", tree.pathOf(directory, name));
      return "published";
    } finally {
      tree.release(directory);
    }
  }
  return "overtaken";
}

/** What has a name now. */
export function* entryAt(tree: Tree, directory: string, name: string): Work<Entry | undefined> {
  const text = yield* lookAt(tree, directory, name);
  return text === undefined ? undefined : entriesIn(text)[0];
}

/** Whether a name still is what the plan saw, or already what it should become. */
export function mayWrite(
  { entry, replaces, policy }: Pick<Publication, "entry" | "replaces" | "policy">,
  now: EntryState | undefined,
): boolean {
  if (isStill(replaces, now) || (now !== undefined && sameContent(entry, now))) return true;
  // A name that vanished from scratch was purged and may be written; at the source, a person removed it.
  return now === undefined && policy !== "stage-out";
}

/** Whether a name still has the content that the plan saw. */
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
    // A file system without hard links: only a last look tells whether the name is still free.
    if ((yield* entryAt(publication.tree, publication.directory, name)) !== undefined) return -EEXIST;
    return yield calls.renameat2(temporaryDirectory, temporaryName, handle, newName, 0);
  }
  if (linked < 0) return linked;
  const removed = yield calls.unlinkat(temporaryDirectory, temporaryName, 0);
  return removed === -ENOENT ? 0 : removed;
}
