// Writes small files that others may read at that moment (config, markers): a reader sees the old or the new text.
import type { Calls } from "../posix/calls.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { temporaryBeside } from "./temporary_name.ts";

/** How to write. */
export interface AtomicWrite {
  /** An absolute path. */
  readonly path: string;
  /** `kept`: the file that a symbolic link leads to is replaced. Without it, the link itself is. */
  readonly link?: "kept";
  readonly content: string | Uint8Array<ArrayBuffer>;
  /** Permission bits of the new file, independent of the umask; by default those of the old file if there is one. */
  readonly mode?: number;
  /**
   * `durable` waits until file and name are on the disk (fsync of file and directory). `whole` waits for the file only: after a
   * crash of the node the name has the old or the new content. `fast` is for data that can be recreated.
   */
  readonly durability: "durable" | "whole" | "fast";
  /** The calls that write the file; tests pass their own. */
  readonly calls?: Calls;
}

/**
 * Replaces the file in one step: temporary file beside it, write, (fsync,) close, rename. On a CliError the old file is intact,
 * also if the disk or a quota is full and NFS reports that only at close(2).
 */
export async function writeFileAtomically(request: AtomicWrite): Promise<void> {
  const path = request.link === "kept" ? await resolveLink(request.path) : request.path;
  const directory = splitAbsolute(path)[0];
  const temporary = temporaryBeside(path, "write");
  const content = typeof request.content === "string" ? new TextEncoder().encode(request.content) : request.content;
  try {
    const mode = request.mode ?? await permissionBits(path) ?? 0o600;
    const synced = request.durability === "fast" ? {} : { durability: "synced" as const };
    // A start with everything fresh writes nothing, and does not load this.
    const { makeFileAt } = await import("../posix/make_file.ts");
    await makeFileAt(temporary, { content, mode, ...synced }, request.calls);
    await Deno.rename(temporary, path);
    if (request.durability === "durable") await syncDirectory(directory);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new CliError("file-system", `Cannot write "${path}": ${messageOf(error)}`, { cause: error });
  }
}

async function resolveLink(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  // The path does not exist yet, or is a link whose target does not exist yet.
  try {
    const target = await Deno.readLink(path);
    return target.startsWith("/") ? target : `${splitAbsolute(path)[0]}/${target}`;
  } catch {
    return path;
  }
}

async function permissionBits(path: string): Promise<number | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.mode === null || info === undefined ? undefined : info.mode & 0o7777;
}

async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await Deno.open(path);
    try {
      await directory.sync();
    } finally {
      directory.close();
    }
  } catch {
    // Some file systems refuse fsync on a directory; the rename itself has succeeded.
  }
}

/** The text of a regular file, or undefined if there is none. A FIFO is not read, since reading would block forever. */
export async function readTextFileIfExists(path: string): Promise<string | undefined> {
  try {
    return (await Deno.stat(path)).isFile ? await Deno.readTextFile(path) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
