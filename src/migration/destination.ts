// Whether a directory can move to its destination, checked before anything is written.
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { type AbsolutePath, isWithin, realLocation } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { readNames } from "../posix/read_names.ts";
import { printable } from "../text/format.ts";
import type { Journal } from "./journal.ts";
import { isDirectory, nearestDirectory } from "../system/existence.ts";

/** Two directories, and the name people use for what moves. */
export interface Move {
  readonly what: string;
  readonly from: AbsolutePath;
  readonly to: AbsolutePath;
}

/** The facts about the old directory. */
export interface SourceFacts {
  /** Links followed. */
  readonly realPath: AbsolutePath;
  /** The path itself is a symbolic link. */
  readonly isLink: boolean;
}

/** Examines the old directory; undefined if it doesn't exist. Throws a CliError if it is no directory or can't be entered. */
export async function observeSource({ what, from }: Move): Promise<SourceFacts | undefined> {
  try {
    // `/.` enters the directory: clusters mount some directories only when they are entered.
    await Deno.stat(`${from}/.`);
    const isLink = (await Deno.lstat(from)).isSymlink;
    return { realPath: await realLocation(from), isLink };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const kind = error instanceof Deno.errors.NotADirectory ? "usage" : "file-system";
    const why = kind === "usage" ? "it is not a directory" : messageOf(error);
    throw new CliError(kind, `Cannot migrate ${what}: "${from}" cannot be used: ${why}`, { cause: error });
  }
}

/**
 * Throws a CliError if the destination is, holds or lies in the old directory, is no directory, contains files that
 * aren't a copy of ours, or can't be written. Follows links on both sides.
 */
export async function checkDestination(move: Move, source: SourceFacts, journal: Journal | undefined): Promise<void> {
  const { what, to } = move;
  const refuse = (why: string, hint: string) =>
    new CliError("usage", `Cannot migrate ${what} to "${printable(to)}": ${why}`, { hint });
  const real = await realLocation(to);
  const another = "choose a directory that does not exist yet, or an empty one";
  if (real === source.realPath || await isSameDirectory(real, source.realPath)) {
    throw refuse("that is where it is", "give another directory with --to");
  }
  if (isWithin(real, source.realPath)) {
    throw refuse(`it lies inside "${source.realPath}", which is to be moved`, another);
  }
  if (isWithin(source.realPath, real)) {
    throw refuse(`it contains "${source.realPath}", which is to be moved`, another);
  }
  const existing = await Deno.lstat(to).catch(() => undefined);
  if (existing !== undefined && !await isDirectory(to)) {
    throw refuse("there is something that is no directory", another);
  }
  if (existing !== undefined && !await isOurs(to, journal)) {
    const name = await anyNameIn(to);
    if (name !== undefined) throw refuse(`the directory is not empty, "${printable(name)}" is in it`, another);
  }
  await checkWritable(real);
}

/** Whether the directory is the copy that the journal describes. Device numbers of network file systems vary between nodes. */
export async function isOurs(to: string, journal: Journal | undefined): Promise<boolean> {
  if (journal === undefined || journal.to !== to || journal.to_inode === null) return false;
  return (await Deno.stat(to)).ino === journal.to_inode;
}

async function isSameDirectory(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => Deno.stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

async function anyNameIn(directory: string): Promise<string | undefined> {
  return (await readNames(directory)).keys().next().value;
}

async function checkWritable(path: AbsolutePath): Promise<void> {
  const existing = await nearestDirectory(path);
  await access(existing, constants.W_OK | constants.X_OK).catch((error) => {
    throw new CliError("file-system", `Cannot write to "${existing}": permission denied`, {
      hint: "choose a directory of your own with --to",
      cause: error,
    });
  });
}
