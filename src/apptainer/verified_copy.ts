// One large file to another place: resumed where it stopped, checked by its checksum, whole or not there at all.
import { createHash, type Hash } from "node:crypto";
import { CliError, isFullDiskRefusal, messageOf, systemRefusalOf } from "../errors.ts";
import { readTextFileIfThere, writeFileAtomically } from "../system/atomic_file.ts";

/** What to copy. */
export interface CopyRequest {
  readonly source: string;
  readonly target: string;
  /** The checksum the file must have; undefined takes it as it is, and checks that the copy is the same. */
  readonly sha256: string | undefined;
  readonly signal: AbortSignal;
  /** Told after each piece. */
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
}

/** What arrived. */
export interface CopyOutcome {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** How much was there already from an earlier try. */
  readonly resumedBytes: number;
}

const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Copies the file. It grows under a hidden name beside the target, where a later call goes on with it, and gets its name when
 * its checksum is right. Throws CliErrors: `no-space`, `file-system`, `transfer` for a wrong checksum; the signal's reason.
 */
export async function copyVerified(request: CopyRequest): Promise<CopyOutcome> {
  const partial = partialPath(request.target);
  const first = await copyOnce(request, partial);
  if (isRight(first, request)) return await finish(first, partial, request);
  await discard(partial);
  if (first.resumedBytes === 0) throw wrongChecksum(request);
  // What was there from an earlier try may have been damaged meanwhile: once more from the start.
  const second = await copyOnce(request, partial);
  if (isRight(second, request)) return await finish(second, partial, request);
  await discard(partial);
  throw wrongChecksum(request);
}

/** Where an unfinished copy is. */
export function partialPath(target: string): string {
  const slash = target.lastIndexOf("/");
  return `${target.slice(0, slash)}/.${target.slice(slash + 1)}.partial`;
}

/** Removes an unfinished copy and what is known of it. */
export async function discard(partial: string): Promise<void> {
  await Deno.remove(partial).catch(() => {});
  await Deno.remove(`${partial}.of`).catch(() => {});
}

function isRight(outcome: CopyOutcome, request: CopyRequest): boolean {
  return request.sha256 === undefined || outcome.sha256 === request.sha256;
}

function wrongChecksum({ source }: CopyRequest): CliError {
  return new CliError("transfer", `Cannot use "${source}": its content is not what was built (the checksum differs)`, {
    hint: "the file may be damaged: build the image again with `euler-files apptainer build NAME --force`",
  });
}

async function finish(outcome: CopyOutcome, partial: string, request: CopyRequest): Promise<CopyOutcome> {
  await Deno.rename(partial, request.target).catch((error) => {
    throw new CliError("file-system", `Cannot write "${request.target}": ${messageOf(error)}`, { cause: error });
  });
  await Deno.remove(`${partial}.of`).catch(() => {});
  return outcome;
}

async function copyOnce(request: CopyRequest, partial: string): Promise<CopyOutcome> {
  using source = await Deno.open(request.source).catch((error) => {
    throw new CliError("file-system", `Cannot read "${request.source}": ${messageOf(error)}`, { cause: error });
  });
  const info = await source.stat();
  // Which file a partial copy is of: another one's beginning must not stay in it.
  const identity = `${info.size} ${info.mtime?.getTime()} ${info.ino}`;
  const known = await readTextFileIfThere(`${partial}.of`).catch(() => undefined);
  if (known !== identity) {
    await discard(partial);
    await writeFileAtomically({ path: `${partial}.of`, content: identity, mode: 0o600, durability: "fast" });
  }
  try {
    using target = await Deno.open(partial, { read: true, write: true, create: true, mode: 0o700 });
    const hash = createHash("sha256");
    const resumedBytes = await hashExisting(target, info.size, hash, request);
    await source.seek(resumedBytes, Deno.SeekMode.Start);
    const copied = await copyRest(source, target, hash, { ...request, from: resumedBytes, total: info.size });
    if (resumedBytes + copied !== info.size) {
      throw new CliError("transfer", `Cannot copy "${request.source}": it changed while it was read`, {
        hint: "run the command again",
      });
    }
    return { sizeBytes: info.size, sha256: hash.digest("hex"), resumedBytes };
  } catch (error) {
    throw await explain(error, partial, request);
  }
}

async function hashExisting(target: Deno.FsFile, size: number, hash: Hash, request: CopyRequest): Promise<number> {
  const there = (await target.stat()).size;
  if (there > size) await target.truncate(0);
  const piece = new Uint8Array(PIECE_BYTES);
  let done = 0;
  for (let read: number | null; (read = await target.read(piece)) !== null; done += read) {
    request.signal.throwIfAborted();
    hash.update(piece.subarray(0, read));
  }
  return done;
}

async function copyRest(
  source: Deno.FsFile,
  target: Deno.FsFile,
  hash: Hash,
  request: CopyRequest & { readonly from: number; readonly total: number },
): Promise<number> {
  // While one piece is written and hashed, the next is on its way.
  const buffers = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)];
  let copied = 0;
  let reading = source.read(buffers[0]!);
  try {
    for (let turn = 0;; turn++) {
      const read = await reading;
      if (read === null) return copied;
      request.signal.throwIfAborted();
      reading = source.read(buffers[(turn + 1) % 2]!);
      const piece = buffers[turn % 2]!.subarray(0, read);
      hash.update(piece);
      for (let written = 0; written < piece.length;) written += await target.write(piece.subarray(written));
      copied += read;
      request.onProgress(request.from + copied, request.total);
    }
  } finally {
    await reading.catch(() => {});
  }
}

async function explain(error: unknown, partial: string, request: CopyRequest): Promise<unknown> {
  if (error instanceof CliError || request.signal.aborted) return error;
  const message = messageOf(error);
  // The rest has no room, and what is there takes it from others.
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
