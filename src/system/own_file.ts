// Small files of ours in directories that other users can or could write to: a link, a FIFO or another user's file under one of
// our names is refused before it is opened, so that it is not followed, waited for, trusted or overwritten.
import { CliError, messageOf, systemRefusalOf } from "../errors/errors.ts";
import { ESTALE } from "../posix/errno.ts";
import { shellWord } from "../text/format.ts";
import { waitForServer } from "./wait_for_server.ts";

/** The expected kind of a file with one of our names. */
export type OwnKind = "file" | "directory";

/**
 * Checks a name of ours, links not followed. Undefined if it does not exist. Throws a CliError `refused` if it is of another
 * kind, belongs to another user, or is a file with a second hard link.
 */
export async function lookAtOwn(path: string, kind: OwnKind): Promise<Deno.FileInfo | undefined> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CliError("file-system", `Cannot look at "${path}": ${messageOf(error)}`, { cause: error });
  }
  const fault = faultOf(info, kind);
  if (fault !== undefined) throw refusal(path, fault);
  return info;
}

function faultOf(info: Deno.FileInfo, kind: OwnKind): string | undefined {
  if (info.isSymlink) return "it is a symbolic link";
  if (kind === "directory" ? !info.isDirectory : !info.isFile) return `it is not a ${kind}`;
  if (info.uid !== null && info.uid !== Deno.uid()) return "it belongs to another user";
  // Another user may have made a hard link to a file of ours: writing to it would change that file.
  if (kind === "file" && (info.nlink ?? 1) > 1) return "it has another name besides";
  return undefined;
}

/** The error for a file that has a name of ours but is not ours. */
export function refusal(path: string, fault: string): CliError {
  return new CliError("refused", `Cannot use "${path}": ${fault}`, {
    hint: `euler-files makes no such thing; look at it (ls -ld ${shellWord(path)}) and remove it`,
  });
}

/** The largest record, of some ten million files, is smaller. A longer file is damaged, and would fill the memory. */
export const MOST_OWN_BYTES: number = 2 ** 30;

/** Opens a file of ours for reading; undefined if it does not exist. Errors are those of {@linkcode lookAtOwn}. */
export async function openOwnForReading(path: string): Promise<Deno.FsFile | undefined> {
  const seen = await lookAtOwn(path, "file");
  if (seen === undefined) return undefined;
  let file: Deno.FsFile | undefined;
  try {
    file = await Deno.open(path, { read: true });
    const opened = await file.stat();
    if (opened.ino !== seen.ino || opened.dev !== seen.dev) {
      // Our own writers replace the file with a rename: the new one is just as good, if it is ours.
      const fault = faultOf(opened, "file");
      if (fault !== undefined) throw refusal(path, fault);
    }
    return file;
  } catch (error) {
    file?.close();
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Reads a file of ours; undefined if it does not exist or is too long. Errors are those of {@linkcode lookAtOwn}. */
export async function readOwnFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const file = await openOwnForReading(path);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    return size > MOST_OWN_BYTES ? undefined : await readAll(file, size);
  } finally {
    file.close();
  }
}

async function readAll(file: Deno.FsFile, sizeBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes);
  let length = 0;
  while (length < sizeBytes) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

/** The text of a file of ours, or undefined if it does not exist or is too long. Errors are those of {@linkcode lookAtOwn}. */
export async function readOwnText(path: string): Promise<string | undefined> {
  const bytes = await readOwnFile(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Retry if a file is removed or made between two checks, or gets a new inode when opened for writing (overlayfs). */
const MOST_TRIES = 10;

/**
 * Opens a file of ours for reading and writing; a missing file is made (0600), an existing one is not changed. Errors are those
 * of {@linkcode lookAtOwn}, and those of the kernel.
 */
export async function openOwnFile(path: string): Promise<Deno.FsFile> {
  await waitForServer(path);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      return await Deno.open(path, { read: true, write: true, createNew: true, mode: 0o600 });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    const seen = await lookAtOwn(path, "file");
    if (seen === undefined) continue;
    let file: Deno.FsFile | undefined;
    try {
      file = await Deno.open(path, { read: true, write: true });
      const opened = await file.stat();
      if (opened.ino === seen.ino && opened.dev === seen.dev) return file;
      file.close();
    } catch (error) {
      file?.close();
      // NFS: another client has removed the file.
      const isStale = systemRefusalOf(error)?.errno === ESTALE;
      if (!isStale && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new CliError("file-system", `Cannot open "${path}": it is another file at each look`, {
    hint: `something exchanges it; look at its directory: ls -la ${shellWord(path.slice(0, path.lastIndexOf("/")))}`,
  });
}
