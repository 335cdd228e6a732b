// Which source a target was staged from. The marker names it, but does not exist during a transfer or after a killed one.
import { type AbsolutePath, realLocation } from "../config/paths.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import type { VariableLayout } from "../variables/layout.ts";
import { type Marker, type MarkerAbsence, readMarker, writeMarker } from "./marker.ts";

/** The source that target and manifest come from; undefined where it is unknown. */
export async function readRecordedSource(
  layout: VariableLayout,
  marker: Marker | MarkerAbsence,
): Promise<string | undefined> {
  return typeof marker === "string" ? await readOwnText(layout.source) : marker.source;
}

/** Whether two paths lead to the same directory, symbolic links resolved in every component. */
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
 * Records that a source was moved with all its files, so that the next sync compares the target with the new path instead of
 * staging it from scratch. The caller holds the variable lock.
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
