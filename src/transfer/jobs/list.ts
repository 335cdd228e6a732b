// The jobs that look: what is in directories, and what has the given paths.
import { isMissing, listDirectory, listKinds, statusOf, statusOfDirectory, targetOf } from "../../posix/list.ts";
import { cString, isNoDirectory, type Tree } from "../../posix/tree.ts";
import { type FileKind, type FileStatus, readStatusAt } from "../../posix/status.ts";
import { messageOf } from "../../errors.ts";
import type { Work } from "../../posix/work.ts";
import { labelOf } from "../entry_text.ts";
import { UNFINISHED } from "../own_names.ts";
import type { JobContext } from "./job.ts";

/** Which directories of a tree to list, and how closely. */
export interface ListRequest {
  readonly root: string;
  /** `names`: names and kinds only; nothing is asked of the server for a name. `itself`: the directories, not what is in them. */
  readonly facts: "full" | "names" | "itself";
  readonly directories: readonly string[];
}

/**
 * What a directory holds, or why that is unknown. `records` has two fields for each name, each followed by a NUL: label and
 * state; `rest` has one. `self` are state and rest of the directory itself. See entry_text.ts for what they hold.
 */
export interface ListedText {
  readonly self: string;
  readonly records: string;
  readonly rest: string;
  /** How many directories are in it. */
  readonly directories: number;
  /** How many files with several names. */
  readonly linked: number;
}

/** A listed directory, or a sentence about why it can't be read. */
export type DirectoryAnswer = ListedText | { readonly unreadable: string };

/** Lists directories. The answers are in the order of the request. */
export async function runList(request: ListRequest, context: JobContext): Promise<DirectoryAnswer[]> {
  const answers: DirectoryAnswer[] = [];
  const tree = context.tree(request.root);
  await context.runAll(request.directories.map(function* (directory, index): Work<void> {
    try {
      answers[index] = request.facts === "names"
        ? yield* listNames(tree, directory)
        : yield* listFully(tree, directory, request.facts);
    } catch (error) {
      answers[index] = { unreadable: messageOf(error) };
    }
  }));
  return answers;
}

function* listFully(tree: Tree, directory: string, facts: "full" | "itself"): Work<ListedText> {
  let records = "";
  let rest = "";
  let directories = 0;
  let linked = 0;
  if (facts === "full") {
    yield* listDirectory(tree, directory, (name, view, start, linkTarget) => {
      if (name === UNFINISHED) return;
      const status = readStatusAt(view, start);
      records += `${name}//${linkTarget}\0${stateOf(status)}\0`;
      rest += `${restOf(status)}\0`;
      if (status.kind === "d") directories++;
      else if (status.kind === "f" && status.links > 1) linked++;
    });
  }
  const self = yield* statusOfDirectory(tree, directory);
  return { self: `${stateOf(self)}\0${restOf(self)}\0`, records, rest, directories, linked };
}

function* listNames(tree: Tree, directory: string): Work<ListedText> {
  let records = "";
  let rest = "";
  let directories = 0;
  yield* listKinds(tree, directory, (name, kind) => {
    if (name === UNFINISHED) return;
    records += `${name}//\0${letterOf(kind)}\0`;
    rest += "\0";
    if (kind === "d") directories++;
  });
  return { self: "", records, rest, directories, linked: 0 };
}

/** Which paths of a tree to look at. */
export interface LookRequest {
  readonly root: string;
  readonly paths: readonly string[];
}

/** Looks at single paths: three fields for each, as entry_text.ts reads them, or undefined where nothing is. */
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
    return describe(name, status, linkTarget);
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return undefined;
    throw error;
  }
}

/** `letter mode size seconds.fraction`. */
function stateOf(status: FileStatus): string {
  const letter = letterOf(status.kind);
  const size = letter === "f" ? status.sizeBytes : 0;
  const fraction = String(1_000_000_000 + status.mtimeNanoseconds).slice(1);
  return `${letter} ${status.mode.toString(8)} ${size} ${status.mtimeSeconds}.${fraction}0`;
}

/** `links device:inode blocks user group kind`. */
function restOf(status: FileStatus): string {
  const { links, device, inode, blocks, userId, groupId, kind } = status;
  return `${links} ${device}:${inode} ${blocks} ${userId} ${groupId} ${kind}`;
}

/** A name as three fields, each followed by a NUL. */
function describe(name: string, status: FileStatus, linkTarget: string): string {
  return `${labelOf(name, linkTarget)}\0${stateOf(status)}\0${restOf(status)}\0`;
}

function letterOf(kind: FileKind): "f" | "d" | "l" | "s" {
  return kind === "f" || kind === "d" || kind === "l" ? kind : "s";
}
