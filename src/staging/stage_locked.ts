// Stages one variable under its lock: looks again, transfers, and writes the marker. Loaded only if a variable is not fresh.
import type { Report } from "../contract/events.ts";
import { holderName } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { layoutOf } from "../variables/layout.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { stageTarget } from "./stage_target.ts";
import { removeUnfinishedCopies } from "./first_copy.ts";
import { freshResult, observeFreshness, refusal } from "./look.ts";
import { stageWithoutSource } from "./no_source.ts";
import { skipsFresh, type StageRequest, type StageResult } from "./stage_result.ts";

/** Waits for the variable lock and stages the variable. Throws a CliError if that fails. */
export async function stageLocked(
  request: StageRequest & { readonly startedSeconds: number },
  system: System,
  report: Report,
): Promise<StageResult> {
  const lockRequest = { ...request, inUse: "it is being staged" };
  return await withVariableLock(lockRequest, system, report, async (variableLock) => {
    const { variable, settings, startedSeconds } = request;
    const beganSeconds = system.now() / 1000;
    // The previous holder of the lock may have staged this variable already, and looked at the source after this sync had begun.
    const { facts, freshness, filter } = await observeFreshness(request, system);
    const doneMeanwhile = settings.contents === "by time" && typeof facts.marker !== "string" &&
      facts.marker.began_at !== undefined && facts.marker.began_at >= startedSeconds;
    if (freshness.verdict === "fresh" && (skipsFresh(request) || doneMeanwhile)) {
      if (variableLock.attempt === "after a loss") {
        await removeUnfinishedCopies(layoutOf(settings.cacheRoot, variable.name));
      }
      return await freshResult({ ...request, filter }, facts, system);
    }
    const unusable = refusal(variable, freshness);
    if (unusable !== undefined) return unusable;
    if (variableLock.former !== undefined && typeof facts.marker === "string") {
      const text = `${holderName(variableLock.former.holder)} has not completed the copy; going on with it`;
      report({ type: "note", subject: variable.name, text });
    }
    if (facts.source.state === "missing") {
      return await stageWithoutSource({ ...request, facts, filter }, variableLock);
    }
    return await stageTarget({ ...request, startedSeconds: beganSeconds, facts, filter }, variableLock, report);
  });
}
