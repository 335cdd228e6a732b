// The jobs that list directories and look at single paths.
import { type NameType, nameTypeOf } from "../../filter/selection.ts";
import { ENOENT, ENOTDIR, ESTALE, isPermissionErrno, SystemCallError } from "../../posix/errno.ts";
import { joinName, splitLast } from "../../posix/file_names.ts";
import {
  isMissing,
  listDirectory,
  listKinds,
  type OnStatus,
  statusBehind,
  statusOf,
  statusOfDirectory,
  targetOf,
} from "../../posix/list.ts";
import { cString, isNoDirectory, type Tree } from "../../posix/tree.ts";
import { type FileKind, type FileStatus, readStatusAt } from "../../posix/status.ts";
import { messageOf } from "../../errors/errors.ts";
import type { Work } from "../../posix/work.ts";
import type { Bytes } from "../../posix/calls.ts";
import { BEHIND_LINK, CHANGED, FOLLOWED, labelOf } from "../entry_text.ts";
import { PARTIAL_DIRECTORY } from "../own_names.ts";
import type { JobContext } from "./job.ts";

/** Which directories of a tree to list, and how closely. */
export interface ListRequest {
  readonly root: string;
  /** `names`: names and types only, without a stat(2) for each. `itself`: the directories, not what is in them. */
  readonly facts: "full" | "names" | "itself";
  readonly directories: readonly string[];
  /** `those that take part`: leaves out names that the selection of the transfer excludes. */
  readonly names?: "all" | "those that take part";
}

/**
 * The content of a directory. `records` has two fields for each name, each followed by a NUL: label and
 * state; `rest` has one. `self` has state and rest of the directory itself. entry_text.ts describes the fields.
 */
export interface ListedText {
  readonly self: string;
  readonly records: string;
  readonly rest: string;
  /** How many directories are in it. */
  readonly directories: number;
  /** How many files in it have several names. */
  readonly linked: number;
  /** Labels of links that lead out of the tree, each followed by a NUL, if the tree has a link map. */
  readonly outside: string;
}

/** A listed directory, or why it cannot be read. */
export type DirectoryAnswer = ListedText | UnreadableDirectory;

/** Why a directory can't be read. */
export interface UnreadableDirectory {
  readonly unreadable: string;
  /** `absent`: it does not exist. `refused`: permissions forbid reading, or a followed link leads nowhere now. */
  readonly cause: "absent" | "refused" | "failed";
}

/** Lists directories. The answers are in the order of the request. */
export async function runList(request: ListRequest, context: JobContext): Promise<DirectoryAnswer[]> {
  const answers: DirectoryAnswer[] = [];
  const tree = context.readTree(request.root);
  const selection = request.names === "those that take part" ? context.selection : undefined;
  await context.runAll(request.directories.map(function* (directory, index): Work<void> {
    const isWanted = (name: string, type: NameType) =>
      name !== PARTIAL_DIRECTORY && (selection === undefined || selection.includes(joinName(directory, name), type));
    try {
      answers[index] = request.facts === "names"
        ? yield* listNames(tree, directory, isWanted)
        : yield* listFully(tree, directory, request.facts, isWanted);
    } catch (error) {
      answers[index] = { unreadable: messageOf(error), cause: causeOf(error) };
    }
  }));
  return answers;
}

function causeOf(error: unknown): UnreadableDirectory["cause"] {
  if (isMissing(error) || isNoDirectory(error)) return "absent";
  return error instanceof SystemCallError && isPermissionErrno(error.errno) ? "refused" : "failed";
}

type IsWanted = (name: string, type: NameType) => boolean;

function* listFully(
  tree: Tree,
  directory: string,
  facts: "full" | "itself",
  isWanted: IsWanted,
): Work<ListedText> {
  let records = "";
  let rest = "";
  let directories = 0;
  let linked = 0;
  let outside = "";
  if (facts === "full") {
    const mayFollow = (name: string) => isWanted(name, "directory") || isWanted(name, "other");
    const onStatus: OnStatus = (name, view, start, link) => {
      const status = readStatusAt(view, start);
      if (!isWanted(name, nameTypeOf(status.kind, status.sizeBytes))) return;
      const linkTarget = link === undefined || link.isFollowed ? "" : link.target;
      records += `${name}//${linkTarget}\0${stateOf(status)}\0`;
      rest += `${restOf(status, tree)}${routeOf(tree, directory, link?.isFollowed)}\0`;
      if (status.kind === "d") directories++;
      else if (status.kind === "f" && status.links > 1) linked++;
      else if (linkTarget !== "" && tree.leadsOut(directory, linkTarget)) outside += `${name}//${linkTarget}\0`;
    };
    yield* listDirectory(tree, directory, onStatus, mayFollow);
  }
  const self = yield* statusOfDirectory(tree, directory, facts === "itself" ? "ask the server" : "cached");
  const route = routeOf(tree, directory);
  return { self: `${stateOf(self)}\0${restOf(self, tree)}${route}\0`, records, rest, directories, linked, outside };
}

/** How a name is reached: through a followed link, below one, or without one. */
function routeOf(tree: Tree, directory: string, isFollowed = false): string {
  if (isFollowed) return FOLLOWED;
  return tree.boundaryOf(directory) === "" ? "" : BEHIND_LINK;
}

function* listNames(tree: Tree, directory: string, isWanted: IsWanted): Work<ListedText> {
  let records = "";
  let rest = "";
  let directories = 0;
  const links: string[] = [];
  const add = (name: string, kind: FileKind) => {
    if (!isWanted(name, kind === "d" ? "directory" : "other")) return;
    records += `${name}//\0${letterOf(kind)}\0`;
    rest += "\0";
    if (kind === "d") directories++;
  };
  const mayFollow = tree.links?.follow !== undefined;
  yield* listKinds(tree, directory, (name, kind) => {
    if (name === PARTIAL_DIRECTORY) return;
    if (kind === "l" && mayFollow) links.push(name);
    else add(name, kind);
  });
  for (const name of links) add(name, (yield* followedStatus(tree, directory, cString(name)))?.kind ?? "l");
  return { self: "", records, rest, directories, linked: 0, outside: "" };
}

/** Paths of a tree to look at. */
export interface LookRequest {
  readonly root: string;
  readonly paths: readonly string[];
}

/** Looks at single paths: three fields for each, as in entry_text.ts, or undefined for a path that does not exist. */
export async function runLook(request: LookRequest, context: JobContext): Promise<(string | undefined)[]> {
  const answers: (string | undefined)[] = [];
  const tree = context.readTree(request.root);
  await context.runAll(request.paths.map(function* (path, index): Work<void> {
    const [directory, name] = splitLast(path);
    answers[index] = yield* lookAt(tree, directory, name);
  }));
  return answers;
}

/** The three fields of a name, or undefined if it does not exist. Throws a SystemCallError for any other error. */
export function* lookAt(tree: Tree, directory: string, name: string): Work<string | undefined> {
  try {
    const bytes = cString(name);
    const status = yield* statusOf(tree, directory, bytes);
    if (status === undefined) return undefined;
    if (status.kind !== "l") return describe(name, status, "", tree, routeOf(tree, directory));
    const followed = yield* followedStatus(tree, directory, bytes);
    if (followed !== undefined) return describe(name, followed, "", tree, FOLLOWED);
    return describe(name, status, yield* targetOf(tree, directory, bytes), tree, routeOf(tree, directory));
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return undefined;
    throw error;
  }
}

/**
 * Whether an error means that a name no longer exists in the tree that is read. That needs another look at the name: the error
 * number may come from the receiving side, and a stale handle (ESTALE) does not prove that the name is gone.
 */
export function* hasVanished(tree: Tree, directory: string, name: string, error: unknown): Work<boolean> {
  if (!(error instanceof SystemCallError) || ![ENOENT, ENOTDIR, ESTALE].includes(error.errno)) return false;
  try {
    return (yield* lookAt(tree, directory, name)) === undefined;
  } catch {
    return false;
  }
}

/** The status of a link's destination, if the tree follows the link. */
function* followedStatus(tree: Tree, directory: string, name: Bytes): Work<FileStatus | undefined> {
  if (tree.links?.follow === undefined || !tree.follows(directory, yield* targetOf(tree, directory, name))) {
    return undefined;
  }
  return yield* statusBehind(tree, directory, name);
}

/** `letter mode size seconds.fraction`. */
function stateOf(status: FileStatus): string {
  const letter = letterOf(status.kind);
  const size = letter === "f" ? status.sizeBytes : 0;
  const fraction = String(1_000_000_000 + status.mtimeNanoseconds).slice(1);
  return `${letter} ${status.mode.toString(8)} ${size} ${status.mtimeSeconds}.${fraction}0`;
}

/** `links device:inode blocks user group kind`; a change that the tree tells, and the route to the name, are appended. */
function restOf(status: FileStatus, { changesAfterSeconds }: Tree): string {
  const { links, device, inode, blocks, userId, groupId, kind, changedSeconds } = status;
  const change = changedSeconds > changesAfterSeconds ? `${CHANGED}${changedSeconds}` : "";
  return `${links} ${device}:${inode} ${blocks} ${userId} ${groupId} ${kind}${change}`;
}

/** A name as three fields, each followed by a NUL. */
function describe(name: string, status: FileStatus, linkTarget: string, tree: Tree, route: string): string {
  return `${labelOf(name, linkTarget)}\0${stateOf(status)}\0${restOf(status, tree)}${route}\0`;
}

function letterOf(kind: FileKind): "f" | "d" | "l" | "s" {
  return kind === "f" || kind === "d" || kind === "l" ? kind : "s";
}
