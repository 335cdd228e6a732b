// The marker: the file that says when a transfer of a variable was complete, and what source and target looked like then.
// Without a marker no target is fresh.
import * as v from "valibot";
import { RACY_SECONDS } from "../transfer/racy.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { MOST_OWN_BYTES, readOwnText } from "../system/own_file.ts";
import { asObject } from "../text/json_value.ts";
import { removeIfPresent } from "../system/existence.ts";

/** Links that lead out of a source: how many, and the first few with what they lead to. */
export const OUTSIDE_LINKS_SCHEMA = v.object({
  count: v.pipe(v.number(), v.integer(), v.minValue(0)),
  named: v.array(v.object({
    path: v.pipe(v.string(), v.description("Relative to the source")),
    target: v.string(),
    behind: v.pipe(v.string(), v.description("What lies there, for people")),
    storage: v.pipe(
      v.picklist(["slow", "scratch", "node", "nowhere", "unknown"]),
      v.description("Where it lies; `nowhere` for a link that leads to nothing"),
    ),
  })),
});

/** See {@linkcode OUTSIDE_LINKS_SCHEMA}. */
export type NamedOutsideLinks = v.InferOutput<typeof OUTSIDE_LINKS_SCHEMA>;

/** No links. */
export const NO_OUTSIDE_LINKS: NamedOutsideLinks = { count: 0, named: [] };

/** Files that were kept: how many, and the first few by name. */
export const MARKED_KEPT_SCHEMA = v.object({
  files: v.number(),
  named: v.array(v.object({ path: v.string(), reason: v.string() })),
});

const MARKER_SCHEMA = v.looseObject({
  // The four keys that older versions wrote; users' scripts read them.
  synced_at: v.number(),
  source_mtime: v.number(),
  var_name: v.string(),
  source: v.string(),
  // The keys that freshness is decided by. Those without `optional` are required since 2.0: a marker that lacks one counts as none.
  source_fingerprint: v.string(),
  /** The number of the source directory in its file system; absent in markers of older versions. */
  source_inode: v.optional(v.number()),
  /** For older versions, which compare it. */
  target_device: v.number(),
  target_inode: v.number(),
  /** Milliseconds since 1970; if a marker lacks it, the target is listed once more. */
  target_mtime: v.optional(v.number()),
  /**
   * The source directory's own time and its names at that time: while the time is unchanged, no name was added or removed.
   * Absent if there are many names, or if the time was so recent that another change could get the same time.
   */
  source_listing: v.optional(v.object({ mtime: v.number(), names: v.array(v.string()) })),
  /** Names at the source's top level that the target lacks on purpose: excluded ones, sockets. */
  left_out: v.array(v.string()),
  /** A few files of the target: the oldest, which a purge by age takes first, then one of each model or package. */
  sample: v.array(v.string()),
  files: v.number(),
  bytes: v.number(),
  /** When the sync began to look at the source, seconds since 1970; a sync that waited for it has nothing left to do. */
  began_at: v.optional(v.number()),
  /** How many files may have changed at the source without a new time (transfer/racy.ts), and when a sync compares them. */
  racy: v.optional(v.object({ files: v.number(), until: v.number() })),
  /** The hash of the filter rules; absent if there were none. */
  filter: v.optional(v.string()),
  /** Files of the target that were kept although they differ from the source: their number, and the first few. */
  kept: v.optional(MARKED_KEPT_SCHEMA),
  /** Secrets that the target holds although the filter excludes them; absent if there were none. */
  secrets: v.optional(v.array(v.string())),
  /** Links that lead out of the source; absent if there were none. */
  outside_links: v.optional(OUTSIDE_LINKS_SCHEMA),
  /** Why the target is stale although a transfer was complete: what a push left out, or a resolve that has not ended. */
  stale_reason: v.optional(v.string()),
  /** Which links were followed; absent if none were. */
  links: v.optional(v.picklist(["follow-outside", "follow"])),
});

/** The content of a marker. Times are seconds since 1970 unless stated otherwise. */
export type Marker = v.InferOutput<typeof MARKER_SCHEMA>;

/** Why there is no usable marker. */
export type MarkerAbsence = "missing" | "damaged" | "not-ours";

/**
 * Reads a marker. One that can't be parsed, lacks a key, belongs to another user or has a second hard link counts as none. The
 * caller has checked the directory (cache_root.ts), so that the name is neither a link nor a FIFO.
 */
export async function readMarker(path: string, userId: number): Promise<Marker | MarkerAbsence> {
  let text: string;
  try {
    using file = await Deno.open(path, { read: true });
    const info = await file.stat();
    // A marker written by another user could make us export a directory of that user.
    const isOurs = info.uid === null || info.uid === userId;
    if (!info.isFile || !isOurs || (info.nlink ?? 1) > 1) return "not-ours";
    if (info.size > MOST_OWN_BYTES) return "damaged";
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

/** The marker's entry for the racy files of a record made at the given time; empty if there are none. */
export function markedRacy(
  manifest: { countRacy(): number },
  recordedSeconds: number,
): { readonly racy?: Marker["racy"] } {
  const files = manifest.countRacy();
  return files === 0 ? {} : { racy: { files, until: recordedSeconds + RACY_SECONDS } };
}

/** The fingerprint of a marker that was made stale. No source has this fingerprint, so the target is not fresh. */
export const CHANGED_FINGERPRINT = "changed";

/** Makes a target stale and keeps the rest of its marker. */
export async function makeStale(
  path: string,
  marker: Marker,
  reason: Pick<Marker, "kept" | "stale_reason">,
): Promise<void> {
  const { kept: _before, stale_reason: _reason, ...unchanged } = marker;
  // Older versions compare source_mtime.
  const stale = { ...unchanged, ...reason, source_mtime: 0, source_fingerprint: CHANGED_FINGERPRINT };
  // If the disk is full, remove the marker: no marker is better than one that calls a stale target fresh.
  await writeMarker(path, stale).catch(() => removeMarker(path));
}

/** Removes a marker before its target changes, so that a half-updated target is never fresh. */
export async function removeMarker(path: string): Promise<void> {
  await removeIfPresent(path);
}

/** When a marker that cannot be used was written, in seconds since 1970: one of version 1.x has the time. Undefined without one. */
export async function readMarkerTime(path: string): Promise<number | undefined> {
  try {
    const time = asObject(JSON.parse(await readOwnText(path) ?? "null"))?.synced_at;
    return typeof time === "number" && Number.isFinite(time) ? time : undefined;
  } catch {
    return undefined;
  }
}
