// The jobs that look: what is in directories, and what has the given paths.
import {
  isMissing,
  listDirectory,
  type Listed,
  listKinds,
  statusOf,
  statusOfDirectory,
  targetOf,
} from "../../posix/list.ts";
import { cString, isNoDirectory, type Tree } from "../../posix/tree.ts";
import type { FileKind, FileStatus } from "../../posix/status.ts";
import { messageOf } from "../../errors.ts";
import type { Work } from "../../posix/work.ts";
import { labelOf } from "../entry_text.ts";
import type { JobContext } from "./job.ts";

/** Which directories of a tree to list, and how closely. */
export interface ListRequest {
  readonly root: string;
  /** `names`: names and kinds only; nothing is asked of the server for a name. `itself`: the directories, not what is in them. */
  readonly facts: "full" | "names" | "itself";
  readonly directories: readonly string[];
}

/**
 * What a directory holds, or why that is unknown. `text` has three fields for each name, each followed by a NUL: the label,
 * the state and the rest, as {@linkcode describe} makes them. `self` is the directory itself.
 */
export type DirectoryAnswer =
  | { readonly self: string; readonly text: string }
  | { readonly unreadable: string };

/** Lists directories. The answers are in the order of the request. */
export async function runList(request: ListRequest, context: JobContext): Promise<DirectoryAnswer[]> {
  const answers: DirectoryAnswer[] = [];
  const tree = context.tree(request.root);
  await context.runAll(request.directories.map(function* (directory, index): Work<void> {
    const parts: string[] = [];
    try {
      if (request.facts !== "names") {
        if (request.facts === "full") yield* listDirectory(tree, directory, (entry) => parts.push(describe(entry)));
        const self = yield* statusOfDirectory(tree, directory);
        answers[index] = { self: stateAndRest(self), text: parts.join("") };
      } else {
        yield* listKinds(tree, directory, (name, kind) => parts.push(`${name}//\0${letterOf(kind)}\0\0`));
        answers[index] = { self: "", text: parts.join("") };
      }
    } catch (error) {
      answers[index] = { unreadable: messageOf(error) };
    }
  }));
  return answers;
}

/** Which paths of a tree to look at. */
export interface LookRequest {
  readonly root: string;
  readonly paths: readonly string[];
}

/** Looks at single paths: three fields for each as {@linkcode describe} makes them, or undefined where nothing is. */
export async function runLook(request: LookRequest, context: JobContext): Promise<(string | undefined)[]> {
  const answers: (string | undefined)[] = [];
  const tree = context.tree(request.root);
  await context.runAll(request.paths.map(function* (path, index): Work<void> {
    const cut = path.lastIndexOf("/");
    const [directory, name] = cut === -1 ? ["", path] : [path.slice(0, cut), path.slice(cut + 1)];
    answers[index] = yield* lookAt(tree, directory, name);
  }));
  return answers;
}

/** One name: its three fields, or undefined where nothing has that name. Throws a SystemCallError for anything else. */
export function* lookAt(tree: Tree, directory: string, name: string): Work<string | undefined> {
  try {
    const bytes = cString(name);
    const status = yield* statusOf(tree, directory, bytes);
    if (status === undefined) return undefined;
    const linkTarget = status.kind === "l" ? yield* targetOf(tree, directory, bytes) : "";
    return describe({ name, kind: status.kind, status, linkTarget });
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return undefined;
    throw error;
  }
}

/** `letter mode size seconds.fraction` and `links device:inode blocks user group kind`, as entry_text.ts reads them. */
function stateAndRest(status: FileStatus): string {
  const letter = letterOf(status.kind);
  const size = letter === "f" ? status.sizeBytes : 0;
  const fraction = String(1_000_000_000 + status.mtimeNanoseconds).slice(1);
  return `${letter} ${status.mode.toString(8)} ${size} ${status.mtimeSeconds}.${fraction}0\0` +
    `${status.links} ${status.device}:${status.inode} ${status.blocks} ${status.userId} ${status.groupId} ${status.kind}\0`;
}

/** A listed name as three fields, each followed by a NUL. */
export function describe({ name, status, linkTarget }: Listed): string {
  return `${labelOf(name, linkTarget)}\0${stateAndRest(status)}`;
}

function letterOf(kind: FileKind): "f" | "d" | "l" | "s" {
  return kind === "f" || kind === "d" || kind === "l" ? kind : "s";
}
