// Makes and removes a file by its path: a module of its own, which is loaded when the first file is written.
import { type Calls, waitingCalls } from "./calls.ts";
import { ENOENT, succeeded } from "./errno.ts";
import { AT_FDCWD } from "./libc.ts";
import { makeFile, type NewFile } from "./small_file.ts";
import { cString } from "./tree.ts";
import { run } from "./work.ts";

/** See `makeFile` in small_file.ts. */
export function makeFileAt(path: string, file: NewFile, calls: Calls = waitingCalls()): Promise<void> {
  return run(makeFile(calls, path, file));
}

/** Removes a file, if it exists. `Deno.remove` looks at it before, and leaves it if that look fails. Throws a SystemCallError. */
export async function unlinkPath(path: string, calls: Calls = waitingCalls()): Promise<void> {
  const answer = await calls.unlinkat(AT_FDCWD, cString(path), 0);
  if (answer !== -ENOENT) succeeded(answer, "unlink", path);
}
