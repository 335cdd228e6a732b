// Removing a whole directory: many names at once, since each waits for a server, and no link is ever followed.
import { CliError, messageOf } from "../errors.ts";
import { Pool } from "../pool.ts";
import { temporaryBeside } from "./temporary_name.ts";

/** Removals in flight. */
const WIDTH = 32;

/**
 * Removes the directory so that no reader sees half of it: one rename to a temporary name beside it, then what is in it. Its
 * parent must be writable. What cannot be removed stays under that name, which the error (a CliError `file-system`) gives.
 */
export async function removeTree(path: string): Promise<void> {
  const aside = temporaryBeside(path, "removing");
  try {
    await Deno.rename(path, aside);
  } catch (error) {
    throw new CliError("file-system", `Cannot remove "${path}": ${messageOf(error)}`, { cause: error });
  }
  await removeInPlace(aside).catch((error) => {
    throw new CliError("file-system", `Cannot remove all of "${path}": ${messageOf(error)}`, {
      hint: `what is left is in "${aside}"`,
      cause: error,
    });
  });
}

/**
 * Removes whatever is under that name; nothing there is fine. Directories that were made read-only (Go's module cache is) are
 * opened first. Throws what Deno throws for the first name that can't be removed, and the signal's reason between two names.
 */
export async function removeInPlace(path: string, signal: AbortSignal = new AbortController().signal): Promise<void> {
  try {
    await removeNames(path, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    await openDirectories(path);
    await removeNames(path, signal);
  }
}

/** Files first, many at once; then the directories, which are empty or hold what the runtime's listing doesn't show. */
async function removeNames(path: string, signal: AbortSignal): Promise<void> {
  const pool = new Pool(WIDTH);
  await removeFilesBelow(path, pool, signal);
  await pool.settle();
  signal.throwIfAborted();
  await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
}

async function removeFilesBelow(directory: string, pool: Pool, signal: AbortSignal): Promise<void> {
  const info = await Deno.lstat(directory).catch(ignoreMissing);
  if (info?.isDirectory !== true) return;
  for (const entry of await Array.fromAsync(Deno.readDir(directory))) {
    signal.throwIfAborted();
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) await removeFilesBelow(path, pool, signal);
    else await pool.start(() => Deno.remove(path).catch(ignoreMissing));
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function openDirectories(path: string): Promise<void> {
  const info = await Deno.lstat(path);
  if (!info.isDirectory) return;
  await Deno.chmod(path, (info.mode ?? 0) & 0o7777 | 0o700);
  for await (const entry of Deno.readDir(path)) {
    if (entry.isDirectory) await openDirectories(`${path}/${entry.name}`);
  }
}
