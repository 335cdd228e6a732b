// Files on scratch that hold only the beginning of the source's file, where no record tells how they came to be: an interrupted
// `cp` leaves such a file, with a newer time. They are neither replaced nor pushed; only a person can tell.
import { mapAtOnce } from "../pool.ts";
import { isUtf8Name, joinName } from "../posix/file_names.ts";
import { type Manifest, ManifestBuilder } from "../transfer/manifest.ts";
import type { KeptPath, TransferPlan } from "../transfer/transfer.ts";
import type { Variable } from "./variable.ts";

/** Pieces compared of a file, spread evenly; a large file is not read as a whole. */
const PIECES = 16;
const PIECE_BYTES = 64 * 1024;

const AT_ONCE = 16;

/** Those of the paths whose file on scratch is shorter than the source's and the same as far as it goes. */
async function findTruncated({ source, target }: Variable, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await mapAtOnce(paths.filter(isUtf8Name), AT_ONCE, async (path) => {
    const isCut = await isBeginningOf(`${target}/${path}`, `${source}/${path}`).catch(() => false);
    return isCut ? [path] : [];
  });
  return new Set(found.flat());
}

async function isBeginningOf(path: string, wholePath: string): Promise<boolean> {
  const [info, whole] = await Promise.all([Deno.lstat(path), Deno.lstat(wholePath)]);
  if (!info.isFile || !whole.isFile || info.size >= whole.size) return false;
  using file = await Deno.open(path);
  using wholeFile = await Deno.open(wholePath);
  const last = Math.max(0, info.size - PIECE_BYTES);
  for (let piece = 0; piece < PIECES; piece++) {
    const offset = Math.floor(last * piece / (PIECES - 1));
    const length = Math.min(PIECE_BYTES, info.size - offset);
    const [one, other] = [await readAt(file, offset, length), await readAt(wholeFile, offset, length)];
    if (!one.every((byte, index) => byte === other[index])) return false;
    if (last === 0) break;
  }
  return true;
}

async function readAt(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) throw new Error("the file became shorter");
    done += read;
  }
  return bytes;
}

/**
 * What a sync without a record kept because it is newer, cut files told apart: they must not be in the record, or a push would
 * take them for changes.
 */
export async function splitTruncated(
  variable: Variable,
  kept: readonly KeptPath[],
  manifest: Manifest,
): Promise<{ readonly kept: readonly KeptPath[]; readonly manifest: Manifest }> {
  const newer = kept.filter(({ reason }) => reason === "newer there").map(({ path }) => path);
  const cut = await findTruncated(variable, newer);
  if (cut.size === 0) return { kept, manifest };
  const builder = new ManifestBuilder(manifest);
  for (const [directory, block] of manifest.blocks()) builder.keep(directory, block);
  for (const path of cut) {
    const slash = path.lastIndexOf("/");
    builder.amend(path.slice(0, Math.max(0, slash)), new Map([[path.slice(slash + 1), undefined]]));
  }
  return { kept: kept.map((one) => truncatedIf(one, cut)), manifest: builder.build(manifest.precision) };
}

function truncatedIf(kept: KeptPath, cut: ReadonlySet<string>): KeptPath {
  return cut.has(kept.path) ? { path: kept.path, reason: "truncated" } : kept;
}

/** The plan of a push without a record, files that look cut taken out and kept. */
export async function withoutTruncated(variable: Variable, plan: TransferPlan): Promise<TransferPlan> {
  const suspects = plan.directories.flatMap(({ directory, transfers, replaces }) => {
    const there = new Map(replaces.map((entry) => [entry.name, entry]));
    return transfers.filter(({ name, sizeBytes }) => sizeBytes < (there.get(name)?.sizeBytes ?? 0))
      .map(({ name, sizeBytes }) => ({ path: joinName(directory, name), sizeBytes }));
  });
  const cut = await findTruncated(variable, suspects.map(({ path }) => path));
  if (cut.size === 0) return plan;
  const cutBytes = suspects.reduce((sum, { path, sizeBytes }) => cut.has(path) ? sum + sizeBytes : sum, 0);
  const directories = plan.directories.map((one) => {
    const stays = ({ name }: { readonly name: string }) => !cut.has(joinName(one.directory, name));
    return {
      ...one,
      transfers: one.transfers.filter(stays),
      replaces: one.replaces.filter(stays),
      records: one.records.filter(([name]) => stays({ name })),
      kept: [
        ...one.kept,
        ...one.transfers.filter((entry) => !stays(entry)).map(({ name }) => ({ name, reason: "truncated" as const })),
      ],
    };
  });
  return {
    ...plan,
    directories,
    filesToTransfer: plan.filesToTransfer - cut.size,
    bytesToTransfer: plan.bytesToTransfer - cutBytes,
    transfers: plan.transfers.filter((path) => !cut.has(path)),
    kept: [...plan.kept, ...[...cut].map((path) => ({ path, reason: "truncated" as const }))],
  };
}
