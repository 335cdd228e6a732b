// Writes small files that others may read at that moment (config, markers): a reader sees the old or the new text.
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { temporaryBeside } from "./temporary_name.ts";

/** How to write. */
export interface AtomicWrite {
  /** An absolute path. */
  readonly path: string;
  /** `kept`: the file that a symbolic link leads to is replaced. Without it, the link itself is. */
  readonly link?: "kept";
  readonly content: string | Uint8Array;
  /** Permission bits of the new file, independent of the umask; by default those of the old file if there is one. */
  readonly mode?: number;
  /** `durable` waits until the data is on the disk (fsync of file and directory); `fast` is for data that can be recreated. */
  readonly durability: "durable" | "fast";
}

/** Replaces the file in one step: temporary file beside it, write, (fsync,) rename. On a CliError the old file is intact. */
export async function writeFileAtomically(request: AtomicWrite): Promise<void> {
  const path = request.link === "kept" ? await resolveLink(request.path) : request.path;
  const directory = splitAbsolute(path)[0];
  const temporary = temporaryBeside(path, "write");
  const bytes = typeof request.content === "string" ? new TextEncoder().encode(request.content) : request.content;
  try {
    const mode = request.mode ?? await permissionBits(path) ?? 0o600;
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
    if (mode !== 0o600) await Deno.chmod(temporary, mode);
    if (request.durability === "durable") await file.sync();
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
export async function readTextFileIfThere(path: string): Promise<string | undefined> {
  try {
    return (await Deno.stat(path)).isFile ? await Deno.readTextFile(path) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
