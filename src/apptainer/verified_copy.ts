// Copies one large file to another directory and checks its checksum: complete or absent. An interrupted copy is continued.
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError, isFullDiskRefusal, messageOf, systemRefusalOf } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { hasOwnerEnded, ownedName, ownerOf } from "../system/temporary_name.ts";
import type { Writer } from "../transfer/adopted.ts";
import { copyLargeFile } from "../transfer/copy_large_file.ts";
import { SourceChanged } from "../transfer/large_copy.ts";
import { readNamesOrNone } from "../posix/read_names.ts";

/** What to copy. */
export interface CopyRequest {
  /** Links to the file are followed. */
  readonly source: string;
  readonly target: string;
  /** The checksum the file must have; undefined takes it as it is. */
  readonly sha256: string | undefined;
  /** Called after each piece. */
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
}

/** The result of a copy. */
export interface CopyOutcome {
  readonly sizeBytes: number;
  /** The checksum of what was written. */
  readonly sha256: string;
  /** How much had arrived in an earlier attempt. */
  readonly resumedBytes: number;
}

/**
 * Copies the file. It is written under a hidden name beside the target, where a later call continues it, and is renamed
 * when its checksum is right. Throws CliErrors: `no-space`, `file-system`, `transfer` for a wrong checksum; the signal's reason.
 */
export async function copyVerified(
  request: CopyRequest,
  system: Pick<System, "signal" | "calls">,
): Promise<CopyOutcome> {
  const partial = await takeUnfinished(request.target);
  const abandoned = partialPath(request.target);
  let isComplete = false;
  try {
    const outcome = await copyTwice(request, partial, system);
    isComplete = true;
    return outcome;
  } finally {
    await rename(partial, abandoned);
    // If its journal could not be removed, this is the second try: no later run looks for it while the copy is right.
    if (isComplete) await discard(abandoned);
  }
}

async function copyTwice(
  request: CopyRequest,
  partial: string,
  system: Pick<System, "signal" | "calls">,
): Promise<CopyOutcome> {
  try {
    return await copyOnce(request, partial, system);
  } catch (error) {
    if (!(error instanceof WrongChecksum)) throw error;
    await discard(partial);
    if (error.resumedBytes === 0) throw error.cause;
  }
  // What an earlier attempt wrote may have been damaged since: copy all of it.
  try {
    return await copyOnce(request, partial, system);
  } catch (error) {
    if (!(error instanceof WrongChecksum)) throw error;
    await discard(partial);
    throw error.cause;
  }
}

/** The paths of unfinished copies, first the one that the next copy continues. */
export async function unfinishedCopies(target: string): Promise<readonly string[]> {
  return (await findUnfinished(target)).map(({ path }) => path);
}

async function findUnfinished(target: string): Promise<{ readonly path: string; readonly writer: Writer }[]> {
  const [directory, prefix] = splitAbsolute(partialPath(target));
  const found: { path: string; writer: Writer }[] = [];
  const names = [...(await readNamesOrNone(directory)).keys()];
  // A process that was killed between two renames left a journal without its copy.
  for (const name of new Set(names.map((name) => name.replace(/\.parts$/, "")))) {
    const owner = ownerOf(name, prefix);
    if (owner === undefined && name !== prefix) continue;
    const hasEnded = owner === undefined || await hasOwnerEnded(owner);
    found.push({ path: `${directory}/${name}`, writer: hasEnded ? "has ended" : "may live" });
  }
  return found.toSorted((one, other) => Number(one.writer === "may live") - Number(other.writer === "may live"));
}

/**
 * Renames an unfinished copy to a name of this process, and removes the others. A copy whose process may still run is not
 * continued, because that process may write to it.
 */
async function takeUnfinished(target: string): Promise<string> {
  const own = ownedName(partialPath(target));
  let isTaken = false;
  for (const { path, writer } of await findUnfinished(target)) {
    if (!isTaken && writer === "has ended") isTaken = await rename(path, own);
    else await discard(path);
  }
  return own;
}

/** Renames an unfinished copy with its journal; false if there is no copy. */
async function rename(partial: string, path: string): Promise<boolean> {
  // A journal without its copy is ignored, so this order loses nothing if the process is killed in between.
  await Deno.rename(journalPath(partial), journalPath(path)).catch(() => {});
  return await Deno.rename(partial, path).then(() => true, () => false);
}

/** The path of an unfinished copy that no process writes to; while a process writes, the path ends in that process's name. */
export function partialPath(target: string): string {
  const [directory, name] = splitAbsolute(target);
  return `${directory}/.${name}.partial`;
}

/** Removes an unfinished copy and its journal; `.of` is the journal's suffix in older versions. */
export async function discard(partial: string): Promise<void> {
  for (const path of [partial, journalPath(partial), `${partial}.of`]) await Deno.remove(path).catch(() => {});
}

function journalPath(partial: string): string {
  return `${partial}.parts`;
}

/** Carries the error to throw if no other attempt is left. */
class WrongChecksum extends Error {
  constructor(readonly resumedBytes: number, override readonly cause: CliError) {
    super(cause.message);
  }
}

function wrongChecksum({ source }: CopyRequest): CliError {
  return new CliError("transfer", `Cannot use "${source}": its content is not what was built (the checksum differs)`, {
    hint: "the file may be damaged: build the image again with `euler-files apptainer build NAME --force`",
  });
}

async function copyOnce(
  request: CopyRequest,
  partial: string,
  system: Pick<System, "signal" | "calls">,
): Promise<CopyOutcome> {
  const from = await Deno.realPath(request.source).catch((error) => {
    throw new CliError("file-system", `Cannot read "${request.source}": ${messageOf(error)}`, { cause: error });
  });
  try {
    const outcome = await copyLargeFile({
      ...{ from, to: request.target, temporary: partial, journal: journalPath(partial), mode: 0o700 },
      onProgress: request.onProgress,
      check({ sha256, resumedBytes }) {
        if (request.sha256 === undefined || sha256 === request.sha256) return;
        throw new WrongChecksum(resumedBytes, wrongChecksum(request));
      },
    }, system);
    await Deno.remove(journalPath(partial)).catch(() => {});
    return outcome;
  } catch (error) {
    throw await explain(error, partial, request, system.signal);
  }
}

async function explain(error: unknown, partial: string, request: CopyRequest, signal: AbortSignal): Promise<unknown> {
  if (error instanceof CliError || error instanceof WrongChecksum || signal.aborted) return error;
  if (error instanceof SourceChanged) {
    return new CliError("transfer", `Cannot copy "${request.source}": it changed while it was read`, {
      hint: "run the command again",
      cause: error,
    });
  }
  const message = messageOf(error);
  // The rest doesn't fit on the disk, and the partial copy takes space from other files.
  if (isFullDiskRefusal(systemRefusalOf(error))) {
    await discard(partial);
    return new CliError("no-space", `Cannot write "${request.target}": ${message}`, {
      hint: "free up space there, or sync fewer images with --image NAME",
      cause: error,
    });
  }
  return new CliError("file-system", `Cannot copy "${request.source}" to "${request.target}": ${message}`, {
    cause: error,
  });
}
