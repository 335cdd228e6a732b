// Why a copy has no record of a complete transfer, or why a push is not complete: a job is working on it, a job was
// interrupted, or files could not be read. The result is only shown to users; no decision depends on it.
import { type Progress, shareDone } from "../contract/events.ts";
import { formatFiles } from "../text/format.ts";
import { findHolder } from "../system/file_lock.ts";
import { readOwnText } from "../system/own_file.ts";
import { holderText } from "../system/lock_holder.ts";
import type { System } from "../system/system.ts";
import { readManifest } from "../transfer/manifest.ts";
import { lastReceivingSide } from "../transfer/intent_log.ts";
import { planTransfer } from "../transfer/transfer.ts";
import type { Selection } from "../filter/selection.ts";
import { unfinishedCopies } from "../staging/first_copy.ts";
import type { VariableLayout } from "../variables/layout.ts";
import { type StagingSettings, transferLimits, type Variable } from "../variables/variable.ts";
import { nameExists } from "../system/existence.ts";

/** The states of {@linkcode Unfinished}. */
export const UNFINISHED_STATES = [
  "being-staged",
  "interrupted",
  "incomplete",
  "being-pushed",
  "push-interrupted",
] as const;

/** The state of an unfinished copy, with a sentence about it. */
export interface Unfinished {
  /** `incomplete`: the last transfer ended, but could not read everything. */
  readonly state: (typeof UNFINISHED_STATES)[number];
  readonly reason: string;
  /** When the last transfer ended, in seconds since 1970; undefined if none did. */
  readonly endedSeconds?: number;
}

/** What to look at. Missing files are counted until the signal is aborted. */
export interface UnfinishedRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly selection: Selection | undefined;
  readonly layout: VariableLayout;
  readonly signal: AbortSignal;
}

/** The state of a copy without a marker; undefined if none was begun, it is from another source, or it lacks no file. */
export async function findUnfinished(request: UnfinishedRequest, system: System): Promise<Unfinished | undefined> {
  const { layout, variable } = request;
  const push = await findUnfinishedPush(layout, system);
  if (push !== undefined) return push;
  const working = await findWorking(layout, system);
  if (working !== undefined) return { state: "being-staged", reason: `being staged ${working}` };
  const interrupted = { state: "interrupted", reason: "interrupted, the next sync goes on with it" } as const;
  if ((await unfinishedCopies(layout)).length > 0) return interrupted;
  if (!await nameExists(layout.target)) return undefined;
  if (await nameExists(layout.intentLog)) return interrupted;
  if (await readOwnText(layout.source) !== variable.source) return undefined;
  const missing = await countMissing(request, system);
  // Nothing was interrupted: a push writes no marker if there was none before.
  if (missing === 0) return undefined;
  const ended = (await Deno.stat(layout.source)).mtime?.getTime();
  return {
    state: "incomplete",
    reason: `incomplete: ${missing === undefined ? "files are" : describeFiles(missing)} missing since the last sync`,
    ...(ended === undefined ? {} : { endedSeconds: ended / 1000 }),
  };
}

/** Looks for a push that is running or was interrupted: it leaves an intent log for the source. */
export async function findUnfinishedPush(layout: VariableLayout, system: System): Promise<Unfinished | undefined> {
  if (await lastReceivingSide(layout.intentLog) !== "source") return undefined;
  const working = await findWorking(layout, system);
  return working === undefined
    ? { state: "push-interrupted", reason: "a push was interrupted, the next push goes on with it" }
    : { state: "being-pushed", reason: `being pushed ${working}` };
}

/** The job that works on a variable, and its progress; undefined if there is none. */
async function findWorking(layout: VariableLayout, system: System): Promise<string | undefined> {
  const held = await findHolder(layout.lock, system);
  if (held === undefined) return undefined;
  const share = await readShare(layout.progress);
  return holderText(held.holder, system) + (share === undefined ? "" : `, ${Math.floor(share * 100)}%`);
}

function describeFiles(files: number): string {
  return files === 1 ? "1 file is" : `${formatFiles(files)} are`;
}

/** The share done, from the progress file of the working job. */
async function readShare(path: string): Promise<number | undefined> {
  try {
    const share = shareDone(JSON.parse(await readOwnText(path) ?? "") as Progress);
    return Number.isFinite(share) ? share : undefined;
  } catch {
    // There is no progress file, or it cannot be parsed.
    return undefined;
  }
}

/** How many files the next sync would copy; undefined if counting takes too long. */
async function countMissing(
  { variable, settings, selection, layout, signal }: UnfinishedRequest,
  system: System,
): Promise<number | undefined> {
  try {
    const plan = await planTransfer({
      from: variable.source,
      to: layout.target,
      intent: "stage-update",
      depth: "trust-record",
      engine: settings.engine,
      ...transferLimits(variable, settings),
      record: await readManifest(layout.manifest),
      ...(selection === undefined ? {} : { selection }),
    }, { ...system, signal });
    // Both sides may report the same directory.
    return plan.filesToTransfer + new Set(plan.unreadable.map(({ path }) => path)).size;
  } catch {
    system.signal.throwIfAborted();
    return undefined;
  }
}
