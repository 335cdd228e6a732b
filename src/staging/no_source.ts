// Stages a variable whose source does not exist yet, such as TORCH_HOME before its first use: it gets an empty target, and a
// push makes the source from the files that a job writes there. Refuses a source that held files before: it looks unmounted.
import { formatFiles } from "../text/format.ts";
import { isEmptyDirectory } from "../transfer/emptiness.ts";
import { EMPTY_MANIFEST, readManifest } from "../transfer/manifest.ts";
import { isOtherSource, type ObservedStageRequest } from "./stage_way.ts";
import { unseenCopyError } from "../nodes/unseen_copy.ts";
import { ABSENT_FINGERPRINT } from "../records/freshness.ts";
import { layoutOf, type VariableLayout } from "../variables/layout.ts";
import { writeMarker } from "../records/marker.ts";
import { observeVariable } from "../records/observe.ts";
import { recordTransfer } from "../records/record.ts";
import { readRecordedSource } from "../records/recorded_source.ts";
import { retireTarget } from "./retire.ts";
import { missingSource } from "./look.ts";
import type { StageResult, StageWarning } from "./stage_result.ts";
import type { VariableLock } from "../variables/variable_lock.ts";
import { markedLinks } from "../variables/variable.ts";

/** Makes the empty target and records that both sides are empty. The caller holds the variable lock and has found no source. */
export async function stageWithoutSource(
  request: ObservedStageRequest,
  variableLock: VariableLock,
): Promise<StageResult> {
  const { system } = variableLock;
  const { variable, settings, facts } = request;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const { otherSource } = await checkWithoutSource(request, variableLock.system);
  const warnings: StageWarning[] = [];
  if (otherSource !== undefined && facts.target.state === "directory") {
    warnings.push(...await retireTarget({ layout, formerSource: otherSource }, system));
  }
  await Deno.mkdir(layout.target, { recursive: true, mode: 0o700 });
  const recorded = otherSource !== undefined ? undefined : await readManifest(layout.manifest);
  const outcome = { manifest: recorded ?? EMPTY_MANIFEST, recordChanged: recorded === undefined };
  await recordTransfer(layout, variable.source, outcome, system);
  await variableLock.confirm();
  await mark(request, layout, variableLock);
  return { status: "no-source-yet", warnings };
}

/**
 * Throws a CliError `not-found` if the source held files at the last sync, or if that is unknown. On the disk of a node it always
 * throws: the source there is the copy on scratch, which every sync makes, even if empty. Returns the other source that the target
 * was staged from, if any; the errors for that case are those of `isOtherSource`.
 */
export async function checkWithoutSource(
  request: ObservedStageRequest,
  system: VariableLock["system"],
): Promise<{ readonly otherSource?: string }> {
  const { variable, settings, facts } = request;
  if (variable.origin !== undefined) throw unseenCopyError(variable, "no");
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const formerSource = await readRecordedSource(layout, facts.marker);
  if (formerSource !== undefined && await isOtherSource(formerSource, request)) return { otherSource: formerSource };
  const recorded = await readManifest(layout.manifest);
  if (recorded !== undefined && recorded.files > 0) {
    throw missingSource(variable, `does not exist, and it held ${formatFiles(recorded.files)} before`);
  }
  const isUnknown = recorded === undefined && typeof facts.marker === "string" && facts.target.state === "directory";
  if (isUnknown && !await isEmptyDirectory(layout.target, system)) {
    throw missingSource(variable, "does not exist, and nothing tells whether it held files when the target was staged");
  }
  return {};
}

async function mark(
  { variable, settings, filter: { selection } }: ObservedStageRequest,
  layout: VariableLayout,
  { system }: VariableLock,
): Promise<void> {
  const { source, target } = await observeVariable(variable, settings, system);
  if (source.state !== "missing" || target.state !== "directory") return;
  await writeMarker(layout.marker, {
    synced_at: system.now() / 1000,
    source_mtime: 0,
    var_name: variable.name,
    source: variable.source,
    source_fingerprint: ABSENT_FINGERPRINT,
    target_device: target.device,
    target_inode: target.inode,
    target_mtime: target.mtimeMilliseconds,
    left_out: [],
    sample: [],
    files: 0,
    bytes: 0,
    ...(selection === undefined ? {} : { filter: selection.id }),
    ...markedLinks(variable, settings),
  });
}
