// Makes a file by its path: a module of its own, which is loaded when the first file is written.
import { type Calls, waitingCalls } from "./calls.ts";
import { makeFile, type NewFile } from "./small_file.ts";
import { run } from "./work.ts";

/** See `makeFile` in small_file.ts. */
export function makeFileAt(path: string, file: NewFile, calls: Calls = waitingCalls()): Promise<void> {
  return run(makeFile(calls, path, file));
}
