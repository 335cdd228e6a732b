// One large file to another directory, checked by its checksum: complete or not there at all. Continued where it was stopped.
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError, isFullDiskRefusal, messageOf, systemRefusalOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import { copyLargeFile } from "../transfer/copy_large_file.ts";
import { SourceChanged } from "../transfer/large_copy.ts";

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

/** What arrived. */
export interface CopyOutcome {
  readonly sizeBytes: number;
  /** Of what was written. */
  readonly sha256: string;
  /** How much had arrived in an earlier attempt. */
  readonly resumedBytes: number;
}

/**
 * Copies the file. It is written under a hidden name beside the target, where a later call goes on with it, and gets its name
 * when its checksum is right. Throws CliErrors: `no-space`, `file-system`, `transfer` for a wrong checksum; the signal's reason.
 */
export async function copyVerified(
  request: CopyRequest,
  system: Pick<System, "signal" | "calls">,
): Promise<CopyOutcome> {
  const partial = partialPath(request.target);
  try {
    return await copyOnce(request, partial, system);
  } catch (error) {
    if (!(error instanceof WrongChecksum)) throw error;
    await discard(partial);
    if (error.resumedBytes === 0) throw error.cause;
  }
  // What had arrived in an earlier attempt may have been damaged meanwhile: copy all of it.
  try {
    return await copyOnce(request, partial, system);
  } catch (error) {
    if (!(error instanceof WrongChecksum)) throw error;
    await discard(partial);
    throw error.cause;
  }
}

/** Where an unfinished copy is: always under the same name, so that the next copy of this image finds it. */
export function partialPath(target: string): string {
  const [directory, name] = splitAbsolute(target);
  return `${directory}/.${name}.partial`;
}

/** Removes an unfinished copy and what is known of it; `.of` is the name that older versions used for that. */
export async function discard(partial: string): Promise<void> {
  for (const path of [partial, journalPath(partial), `${partial}.of`]) await Deno.remove(path).catch(() => {});
}

function journalPath(partial: string): string {
  return `${partial}.parts`;
}

/** Carries the error to throw if there is nothing left to try. */
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
  // The rest has no room, and what has arrived takes it from others.
  if (isFullDiskRefusal(systemRefusalOf(error))) {
    await discard(partial);
    return new CliError("no-space", `Cannot write "${request.target}": ${message}`, {
      hint: "make room there, or sync fewer images with --image NAME",
      cause: error,
    });
  }
  return new CliError("file-system", `Cannot copy "${request.source}" to "${request.target}": ${message}`, {
    cause: error,
  });
}
