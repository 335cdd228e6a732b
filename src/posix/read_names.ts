// Lists a directory where it matters that no name is missing: Deno.readDir ends its list without an error when the kernel reports
// one (ESTALE, EIO), and leaves out names that are not UTF-8.
import { waitingCalls } from "./calls.ts";
import { ENOENT, SystemCallError } from "./errno.ts";
import { allKindsIn, kindsIn } from "./small_file.ts";
import type { FileKind } from "./status.ts";
import { run } from "./work.ts";

/** All names in a directory with their kinds, links not followed. Throws a SystemCallError. */
export function readNames(directory: string): Promise<Map<string, FileKind>> {
  return run(allKindsIn(waitingCalls(), directory));
}

/** The same; undefined if the directory does not exist. */
export async function readNamesIfExists(directory: string): Promise<Map<string, FileKind> | undefined> {
  return await readNames(directory).catch((error) => {
    if (error instanceof SystemCallError && error.errno === ENOENT) return undefined;
    throw error;
  });
}

/** The same; empty if there is no such directory or it may not be read. Throws a SystemCallError for any other failure. */
export function readNamesOrNone(directory: string): Promise<Map<string, FileKind>> {
  return run(kindsIn(waitingCalls(), directory));
}
