// Removing a whole directory: many names at once, since each waits for a server, and no link is ever followed.
import { CliError, messageOf } from "../errors.ts";
import { Pool } from "../pool.ts";
import { type Calls, waitingCalls } from "../posix/calls.ts";
import { removePath } from "../posix/remove.ts";
import { run } from "../posix/work.ts";
import { temporaryBeside } from "./temporary_name.ts";

/** Removals in flight. */
const WIDTH = 32;

/**
 * Removes the directory so that no reader sees half of it: one rename to a temporary name beside it, then what is in it. Its
 * parent must be writable. What cannot be removed stays under that name, which the error (a CliError `file-system`) gives.
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
 * Removes whatever is under that name; nothing there is fine. Directories that were made read-only (Go's module cache is) are
 * opened first. Throws a SystemCallError for the first name that can't be removed, and the signal's reason between two names.
 * Tests give calls of their own.
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
