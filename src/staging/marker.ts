// The marker: the record of the last complete transfer of a variable. Without one, nothing counts as fresh.
import * as v from "valibot";
import { OUTSIDE_LINKS_SCHEMA } from "./outside_links_schema.ts";
import { RACY_SECONDS } from "../transfer/racy.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";

/** Files that were kept: how many, and the first few by name. */
export const MARKED_KEPT_SCHEMA = v.object({
  files: v.number(),
  named: v.array(v.object({ path: v.string(), reason: v.string() })),
});

const MARKER_SCHEMA = v.looseObject({
  // The four keys older versions wrote; scripts read them.
  synced_at: v.number(),
  source_mtime: v.number(),
  var_name: v.string(),
  source: v.string(),
  // What makes freshness checkable. A marker without them was written by an older version and counts as none.
  source_fingerprint: v.string(),
  /** For older versions, which compare it. */
  target_device: v.number(),
  target_inode: v.number(),
  /** Milliseconds since 1970; a marker without it costs one more list of the target. */
  target_mtime: v.optional(v.number()),
  /**
   * The source's own time, and the names in it that it had then: while it has that time, none came or went. Missing where there
   * are many names, or where the time was so new that another change could have the same.
   */
  source_listing: v.optional(v.object({ mtime: v.number(), names: v.array(v.string()) })),
  /** Names at the source's top level that the target lacks on purpose: excluded ones, sockets. */
  left_out: v.array(v.string()),
  /** A few files of the target: the oldest, which a purge by age takes first, then one of each model or package. */
  sample: v.array(v.string()),
  files: v.number(),
  bytes: v.number(),
  /** Files that may have changed at the source since they were copied, without a trace (transfer/racy.ts), and until when. */
  racy: v.optional(v.object({ files: v.number(), until: v.number() })),
  /** Stands for the rules by which names were left out; missing where there were none. */
  filter: v.optional(v.string()),
  /** Files of the target that were left as they are although the source has other ones: their number, and the first few. */
  kept: v.optional(MARKED_KEPT_SCHEMA),
  /** Secrets that the target holds although they are left out; missing where there were none. */
  secrets: v.optional(v.array(v.string())),
  /** Links that lead out of the source; missing where there were none. */
  outside_links: v.optional(OUTSIDE_LINKS_SCHEMA),
  /** Why the target is stale although a transfer was complete, where a push changed the source since; for people. */
  stale_reason: v.optional(v.string()),
  /** Which links were followed; missing where none were. */
  links: v.optional(v.picklist(["follow-outside", "follow"])),
});

/** The record of a complete transfer. Times are seconds since 1970 where nothing else is said. */
export type Marker = v.InferOutput<typeof MARKER_SCHEMA>;

/** Why there is no usable marker. */
export type MarkerAbsence = "missing" | "damaged" | "not-ours";

/**
 * Reads a marker. One that can't be parsed, lacks a key, belongs to another user or has a second name counts as none. The caller
 * has seen that the name is no link and no FIFO (`refusePlanted`).
 */
export async function readMarker(path: string, userId: number): Promise<Marker | MarkerAbsence> {
  let text: string;
  try {
    using file = await Deno.open(path, { read: true });
    const info = await file.stat();
    // A marker planted by someone else could make us export their directory.
    const isOurs = info.uid === null || info.uid === userId;
    if (!info.isFile || !isOurs || (info.nlink ?? 1) > 1) return "not-ours";
    const bytes = new Uint8Array(info.size);
    const length = await file.read(bytes);
    text = new TextDecoder().decode(bytes.subarray(0, length ?? 0));
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "missing" : "damaged";
  }
  try {
    const parsed = v.safeParse(MARKER_SCHEMA, JSON.parse(text));
    return parsed.success ? parsed.output : "damaged";
  } catch {
    return "damaged";
  }
}

/** Writes a marker in one step. */
export async function writeMarker(path: string, marker: Marker): Promise<void> {
  await writeFileAtomically({ path, content: JSON.stringify(marker), mode: 0o600, durability: "fast" });
}

/** What a marker says of racy files of a record that was made at that time; nothing where there are none. */
export function markedRacy(
  manifest: { countRacy(): number },
  recordedSeconds: number,
): { readonly racy?: Marker["racy"] } {
  const files = manifest.countRacy();
  return files === 0 ? {} : { racy: { files, until: recordedSeconds + RACY_SECONDS } };
}

/** The fingerprint of a source that a push has changed: no source has it, so the target is not fresh. */
export const CHANGED_FINGERPRINT = "changed";

/** Keeps what a marker says of the last complete transfer, and makes its target stale. */
export async function makeStale(
  path: string,
  marker: Marker,
  reason: Pick<Marker, "kept" | "stale_reason">,
): Promise<void> {
  const { kept: _before, stale_reason: _reason, ...unchanged } = marker;
  // Older versions compare the time.
  const stale = { ...unchanged, ...reason, source_mtime: 0, source_fingerprint: CHANGED_FINGERPRINT };
  // A full disk has no room for it, and a marker that says too much is worse than none.
  await writeMarker(path, stale).catch(() => removeMarker(path));
}

/** Takes a marker away before its target changes: what is half updated is never fresh. */
export async function removeMarker(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
