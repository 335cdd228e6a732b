// Whether what is to be written fits, before it is written.
import { statfs } from "node:fs/promises";
import { CliError } from "../errors.ts";
import { formatCount, formatFiles, formatSize } from "../format.ts";

/** What is to be written. */
export interface RoomRequest {
  readonly files: number;
  readonly sizeBytes: number;
}

/** Throws a CliError `no-space` with the figures if the file system of a path has too few free bytes or inodes for it. */
export async function checkRoom(path: string, request: RoomRequest): Promise<void> {
  const facts = await statfs(path).catch(() => undefined);
  if (facts === undefined) return;
  const freeBytes = facts.bavail * facts.bsize;
  if (request.sizeBytes > freeBytes) {
    refuse(path, `${formatSize(request.sizeBytes)} are to be written and ${formatSize(freeBytes)} are free`);
  }
  // Some file systems make inodes as they need them and say 0 of 0.
  if (facts.files > 0 && request.files > facts.ffree) {
    refuse(
      path,
      `${formatFiles(request.files)} to be made and the disk takes ${formatCount(facts.ffree)} more (inodes)`,
    );
  }
}

function refuse(path: string, figures: string): never {
  throw new CliError("no-space", `Cannot write to "${path}": ${figures}`, {
    hint: "make room there, or stage less with `--var NAME`",
  });
}

/** Whether a program's or the kernel's words mean that the disk or a quota is full. */
export function isFullDisk(words: string): boolean {
  return /No space left on device|[Qq]uota exceeded/.test(words);
}

/** The error for a disk that was found full while writing. */
export function noSpaceError(path: string, lastWords: readonly string[]): CliError {
  const what = lastWords.some((line) => /[Qq]uota/.test(line)) ? "the disk quota is used up" : "it is full";
  return new CliError("no-space", `Cannot write to "${path}": ${what}`, {
    lines: lastWords.slice(-3),
    hint: "make room there and run the command again; what was copied is kept",
  });
}
