// The jobs that publish complete files and directories on a live receiving side.
import { splitLast } from "../../posix/file_names.ts";
import { ENOENT, SystemCallError } from "../../posix/errno.ts";
import { isMissing } from "../../posix/list.ts";
import { cString } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import type { TransferPolicy } from "../decide.ts";
import { ListedEntry, parseLabel } from "../entry_text.ts";
import { type CopyItem, itemIn } from "../item.ts";
import { isLockedByOthers } from "../locked_files.ts";
import { publish } from "../publish.ts";
import { reasonOf } from "../refusals.ts";
import { publishDirectory } from "../publish_directory.ts";
import type { JobContext } from "./job.ts";

/** Files to publish, each written below the temporary directory. */
export interface PublishRequest {
  readonly temporary: string;
  readonly to: string;
  readonly policy: TransferPolicy;
  readonly items: readonly CopyItem[];
}

/** Another program wrote there after the plan was made (`changed there`), or has the file open: its file stays. */
export type PublishResult =
  | { readonly kind: "changed there" | "in use there" }
  | { readonly kind: "failed"; readonly reason: string };

/** Publishes files; undefined for a file that has its name now. The results are in the order of the request. */
export async function runPublish(
  { temporary, to, policy, items }: PublishRequest,
  context: JobContext,
): Promise<(PublishResult | undefined)[]> {
  const [temporaryTree, tree] = [context.tree(temporary), context.tree(to)];
  const results: (PublishResult | undefined)[] = new Array(items.length);
  await context.runAll(items.map(function* (text, index): Work<void> {
    const { directory, entry, replaces, written = "" } = itemIn(text);
    const [writtenDirectory, writtenName] = splitLast(written);
    const temporaryDirectory = yield* temporaryTree.open(writtenDirectory);
    try {
      if (replaces !== undefined && (yield* isLockedByOthers(tree, directory, replaces))) {
        results[index] = { kind: "in use there" };
        return;
      }
      const outcome = yield* publish({
        ...{
          temporaryDirectory,
          temporaryName: cString(writtenName),
          tree,
          directory,
          name: entry.name,
          entry,
          replaces,
        },
        policy,
      });
      if (outcome === "changed there") results[index] = { kind: outcome };
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = { kind: "failed", reason: reasonOf(error) };
    } finally {
      temporaryTree.release(writtenDirectory);
    }
  }));
  return results;
}

/** Directories to publish: where each was built below the temporary directory, its path, and what it replaces (or empty). */
export interface PublishDirectoriesRequest {
  readonly temporary: string;
  readonly to: string;
  readonly items: readonly (readonly [
    written: string,
    path: string,
    replacedLabel: string,
    replacedState: string,
  ])[];
}

/** `merged`: another program made the directory meanwhile; these paths are its own entries, which are kept. */
export type DirectoryResult =
  | { readonly kind: "merged"; readonly changedThere: readonly string[] }
  /** `isMissing`: the built directory or its parent does not exist. */
  | { readonly kind: "failed"; readonly reason: string; readonly isMissing: boolean };

/** Publishes directories; undefined for one that has its name now. The results are in the order of the request. */
export async function runPublishDirectories(
  { temporary, to, items }: PublishDirectoriesRequest,
  context: JobContext,
): Promise<(DirectoryResult | undefined)[]> {
  const trees = { temporary: context.tree(temporary), to: context.tree(to) };
  const results: (DirectoryResult | undefined)[] = new Array(items.length);
  await context.runAll(items.map(function* ([written, path, label, state], index): Work<void> {
    const replaces = state === "" ? undefined : new ListedEntry({ ...parseLabel(label), state, more: "" });
    try {
      const changedThere = yield* publishDirectory({ ...trees, written, path, replaces });
      if (changedThere !== "published") results[index] = { kind: "merged", changedThere };
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = { kind: "failed", reason: reasonOf(error), isMissing: isMissing(error) };
    }
  }));
  return results;
}

/** Directories to move into the temporary directory, each with its name there. */
export interface MoveOutRequest {
  readonly temporary: string;
  readonly to: string;
  readonly items: readonly (readonly [path: string, written: string])[];
}

/** Moves directories away. `not moved`: file system or permissions forbid it. The results are in the order of the request. */
export async function runMoveOut(
  { temporary, to, items }: MoveOutRequest,
  context: JobContext,
): Promise<("moved" | "gone" | "not moved")[]> {
  const [temporaryTree, tree] = [context.tree(temporary), context.tree(to)];
  const results: ("moved" | "gone" | "not moved")[] = [];
  await context.runAll(items.map(function* ([path, written], index): Work<void> {
    const [directory, name] = splitLast(path);
    try {
      const handle = yield* tree.open(directory);
      try {
        const target = yield* temporaryTree.open("");
        const answer = yield tree.calls.renameat2(handle, cString(name), target, cString(written), 0);
        results[index] = answer === 0 ? "moved" : answer === -ENOENT ? "gone" : "not moved";
        temporaryTree.release("");
      } finally {
        tree.release(directory);
      }
      tree.forget(path);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = "not moved";
    }
  }));
  return results;
}
