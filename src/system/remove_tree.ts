// Removes a whole directory: many names at once, since each removal waits for a server. Links are never followed.
import { CliError, messageOf } from "../errors/errors.ts";
import { Pool } from "./pool.ts";
import { type Calls, waitingCalls } from "../posix/calls.ts";
import { removePath } from "../posix/remove.ts";
import { run } from "../posix/work.ts";
import { temporaryBeside } from "./temporary_name.ts";

/** How many removals run at the same time. */
const WIDTH = 32;

/**
 * Removes the directory so that no reader sees half of it: renames it to a temporary name beside it and removes its content.
 * Its parent must be writable. If something can't be removed, the error (a CliError `file-system`) gives the temporary name.
 */
export async function removeTree(path: string, calls: Calls = waitingCalls()): Promise<void> {
  const aside = temporaryBeside(path, "removing");
  try {
    await Deno.rename(path, aside);
  } catch (error) {
    throw new CliError("file-system", `Cannot remove "${path}": ${messageOf(error)}`, { cause: error });
  }
  await removeInPlace(aside, undefined, calls).catch((error) => {
    throw new CliError("file-system", `Cannot remove all of "${path}": ${messageOf(error)}`, {
      hint: `what is left is in "${aside}"`,
      cause: error,
    });
  });
}

/**
 * Removes a path with everything below it; a path that does not exist is no error. Read-only directories (Go's module cache)
 * are made writable first. Throws a SystemCallError for the first name that can't be removed, and the signal's reason between
 * two names. Tests pass calls of their own.
 */
export async function removeInPlace(
  path: string,
  signal: AbortSignal = new AbortController().signal,
  calls: Calls = waitingCalls(),
): Promise<void> {
  await removePath(path, calls, async (works) => {
    const pool = new Pool(WIDTH);
    for (const work of works) {
      signal.throwIfAborted();
      await pool.start(() => run(work));
    }
    await pool.settle();
  });
}
