// Copies one large file in parts, as transfers do: several parts at a time, continued where an earlier copy was stopped,
// and published only if it is complete and its source unchanged.
import { splitAbsolute } from "../posix/file_names.ts";
import { waitingCalls } from "../posix/calls.ts";
import { readBootId } from "../posix/boot_id.ts";
import { ENOENT, succeeded, SystemCallError } from "../posix/errno.ts";
import { cString, Tree } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import type { System } from "../system/system.ts";
import type { Entry } from "./entry.ts";
import { prepareJobRunner } from "./job_runner.ts";
import {
  type FileName,
  LARGE_AT_ONCE,
  type LargeCopy,
  openLargeCopy,
  partBuffer,
  SourceChanged,
} from "./large_copy.ts";
import { PartHash } from "./part_hash.ts";
import { entryAt, publish } from "./publish.ts";

/** Which file to copy, and where to. Paths are absolute. */
export interface CopyLargeFileRequest {
  /** A regular file. */
  readonly from: string;
  readonly to: string;
  /** Where the file is written, in the directory of `to`. If the copy fails, the file stays, and the next copy continues it. */
  readonly temporary: string;
  /** Says which parts of the temporary file have arrived. */
  readonly journal: string;
  readonly mode: number;
  /** Gets the bytes that have arrived, those of an earlier attempt included, after each piece. */
  readonly onProgress: (bytesDone: number, bytesTotal: number) => void;
  /** Gets the sha256 before the file is published; throws to prevent the publication. */
  readonly check: (copied: CopiedFile) => void;
}

/** What was copied. */
export interface CopiedFile {
  readonly sizeBytes: number;
  /** The checksum of the written bytes, in hexadecimal. */
  readonly sha256: string;
  /** Bytes that had arrived in an earlier attempt. */
  readonly resumedBytes: number;
}

/** Another program created or wrote the file `to` during the copy; its file stays. */
class ChangedThere extends Error {
  override readonly name = "ChangedThere";
}

/** Copies a file. Throws SystemCallErrors, {@linkcode SourceChanged}, {@linkcode ChangedThere}, the signal's reason. */
export async function copyLargeFile(
  request: CopyLargeFileRequest,
  system: Pick<System, "signal" | "calls">,
): Promise<CopiedFile> {
  const [fromDirectory, fromName] = splitAbsolute(request.from);
  const [toDirectory, toName] = splitAbsolute(request.to);
  const [, writtenName] = splitAbsolute(request.temporary);
  // The runner only measures the latency of both sides, which decides how many parts are copied at a time.
  const runner = await prepareJobRunner({ roots: [fromDirectory, toDirectory] }, system);
  await runner[Symbol.asyncDispose]();
  const calls = system.calls?.("waiting") ?? waitingCalls();
  const trees = { from: new Tree(fromDirectory, calls), to: new Tree(toDirectory, calls) };
  try {
    const entry = await run(entryAt(trees.from, "", fromName));
    if (entry === undefined) throw new SystemCallError(ENOENT, "open", request.from);
    if (entry.type !== "file") throw new Error(`'${request.from}' is not a regular file`);
    const replaces = await run(entryAt(trees.to, "", toName));
    const progress = { doneBytes: 0 };
    const copy = await run(openLargeCopy({
      ...{ calls, form: runner.form, entry, limit: undefined, signal: system.signal },
      source: { tree: trees.from, directory: "", name: fromName },
      temporaryFile: { tree: trees.to, directory: "", name: writtenName },
      journal: { path: request.journal, bootId: await readBootId(calls) },
      onBytes(sizeBytes) {
        progress.doneBytes += sizeBytes;
        request.onProgress(progress.doneBytes, entry.sizeBytes);
      },
    }));
    try {
      const copied = { sizeBytes: entry.sizeBytes, ...await copyParts(copy) };
      request.check(copied);
      await run(seal(copy, request.mode));
      await run(publishCopy(copy.request.temporaryFile, toName, entry, replaces));
      return copied;
    } finally {
      copy.close();
    }
  } finally {
    trees.from.close();
    trees.to.close();
  }
}

async function copyParts(copy: LargeCopy): Promise<Pick<CopiedFile, "sha256" | "resumedBytes">> {
  const { form, onBytes } = copy.request;
  const hash = new PartHash(copy);
  let resumedBytes = 0;
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    const buffer = partBuffer(form);
    while (next < copy.parts && failure === undefined) {
      const part = next++;
      if (copy.has(part)) {
        resumedBytes += copy.partBytes(part);
        onBytes(copy.partBytes(part));
      } else await run(copy.copyPart(part, buffer));
      hash.add(part);
    }
  };
  const width = Math.min(LARGE_AT_ONCE[form], copy.parts);
  await Promise.all(Array.from({ length: width }, () =>
    lane().catch((error) => {
      failure ??= { error };
    })));
  await hash.settle();
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  return { sha256: await hash.finish(), resumedBytes };
}

function* seal(copy: LargeCopy, mode: number): Work<void> {
  const { calls, temporaryFile } = copy.request;
  if (!(yield* copy.isSourceUnchanged())) throw new SourceChanged("it changed while it was copied");
  succeeded(
    yield calls.fchmod(copy.target, mode),
    "chmod",
    temporaryFile.tree.pathOf(temporaryFile.directory, temporaryFile.name),
  );
  yield* copy.sync();
  yield* copy.closeTarget();
}

function* publishCopy(
  { tree, name: temporary }: FileName,
  name: string,
  entry: Entry,
  replaces: Entry | undefined,
): Work<void> {
  const temporaryDirectory = yield* tree.open("");
  try {
    const outcome = yield* publish({
      ...{ temporaryDirectory, temporaryName: cString(temporary), tree, directory: "", name, entry, replaces },
      policy: "stage",
    });
    if (outcome === "changed there") {
      throw new ChangedThere(`another program wrote '${tree.pathOf("", name)}' meanwhile`);
    }
  } finally {
    tree.release("");
  }
}
