// Removes old copies from a node's disk, except for those with files that exist nowhere else.
import type { Report } from "../contract/events.ts";
import type { System } from "../system/system.ts";
import { oldCopies, tellOldCopy } from "../nodes/old_copies.ts";
import type { StagingSettings } from "../variables/variable.ts";

/** Removes copies of other variables than those in `keep`. `settings` are those of the node. Never throws but on a signal. */
export async function removeOldCopies(
  settings: StagingSettings,
  keep: readonly string[],
  system: System,
  report: Report,
): Promise<void> {
  const names = await oldCopies(settings.cacheRoot, keep, system.now());
  if (names.length === 0) return;
  // Loaded only then: the start of a job must not be slower.
  const { findCleanable, holdsUnpushed, removeCleanable } = await import("./clean.ts");
  try {
    const request = { settings, configured: [], redirected: [], names };
    const found = await findCleanable(request, system);
    for (const copy of found.filter(({ kind }) => kind === "copy")) {
      if (holdsUnpushed(copy)) tellOldCopy(copy.name, "kept", report);
      else if (
        await removeCleanable({ ...request, cleanable: copy, unpushed: "keep it" }, system, report) === undefined
      ) {
        tellOldCopy(copy.name, "removed", report);
      }
    }
  } catch (error) {
    system.signal.throwIfAborted();
    report({ type: "warning", text: `cannot remove old copies on this node: ${String(error)}` });
  }
}
