// Which source a target was staged from. The marker knows, but it is gone while a transfer is under way or was killed.
import { type AbsolutePath, realLocation } from "../config/paths.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import type { VariableLayout } from "./layout.ts";
import { type Marker, type MarkerAbsence, readMarker, writeMarker } from "./marker.ts";

/** The source the target and its manifest are from, as far as it is known. */
export async function readRecordedSource(
  layout: VariableLayout,
  marker: Marker | MarkerAbsence,
): Promise<string | undefined> {
  return typeof marker === "string" ? await readOwnText(layout.source) : marker.source;
}

/** Whether two paths of sources lead to the same directory: a link, or one below it, makes no difference. */
export async function isSameSource(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const [here, there] = await Promise.all([one, other].map((path) => realLocation(path as AbsolutePath)));
  return here === there;
}

/** Records the source beside the manifest. */
export async function writeRecordedSource(layout: VariableLayout, source: string): Promise<void> {
  await writeFileAtomically({ path: layout.source, content: source, mode: 0o600, durability: "fast" });
}

/**
 * The source has moved with all that is in it: what was staged from it is now from its new place, and is compared with that by
 * the next sync instead of being staged anew. The caller holds the variable's lock.
 */
export async function followMovedSource(
  layout: VariableLayout,
  move: { readonly from: string; readonly to: string },
  userId: number,
): Promise<void> {
  const marker = await readMarker(layout.marker, userId);
  if (await readRecordedSource(layout, marker) !== move.from) return;
  await writeRecordedSource(layout, move.to);
  if (typeof marker !== "string") await writeMarker(layout.marker, { ...marker, source: move.to });
}
