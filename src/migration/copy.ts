// The long part of a migration: copies, compares again until nothing is left to copy, and flushes the copy to the disk.
// Until that is done the configuration names the old directory, and even after an error nothing but the copy has changed.
import { splitLast } from "../posix/file_names.ts";
import { dirname } from "node:path/posix";
import { CliError, Interrupted, knownError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { listSome, printable } from "../text/format.ts";
import { waitingCalls } from "../posix/calls.ts";
import { syncFileSystem } from "../posix/durable.ts";
import { Tree } from "../posix/tree.ts";
import { run } from "../posix/work.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { parseTemporaryName } from "../system/temporary_name.ts";
import { compareTrees } from "../transfer/compare.ts";
import { entryAt } from "../transfer/publish.ts";
import { RACY_SECONDS } from "../transfer/racy.ts";
import {
  executePlan,
  planTransfer,
  type TransferOutcome,
  type TransferPlan,
  type TransferProgress,
  transferTree,
} from "../transfer/transfer.ts";
import { type FileSystemTraits, USUAL_TRAITS } from "../transfer/traits.ts";
import type { Move } from "./destination.ts";
import { type Journal, writeJournal } from "./journal.ts";
import { isLockFile } from "./locks.ts";
import { type CopyPlan, planRewrites, resumeCommand } from "./plan.ts";
import { applyRewrites, rewrittenPaths } from "./rewrites.ts";
import { readNames } from "../posix/read_names.ts";

/** The largest number of passes over a directory in which files change, until one pass finds nothing. */
const PASSES = 4;

/** What the copy needs besides the plan. */
export interface CopyTools {
  readonly system: System;
  readonly report: Report;
}

/** What was copied, and how. */
export interface Copied {
  readonly engine: TransferOutcome["engine"];
  /** Less than in the directory if an interrupted migration was continued. */
  readonly files: number;
  readonly bytes: number;
  /** From the first file until all are compared and flushed. */
  readonly seconds: number;
}

/** A completed copy. `copied` is undefined if there was nothing to copy. */
export interface MadeCopy {
  readonly journal: Journal;
  readonly copied: Copied | undefined;
}

/**
 * Makes the complete copy and returns the journal with what was recorded meanwhile. Throws a CliError that says what could not
 * be copied and how to continue; the copy so far stays, and the same command continues it.
 */
export async function copyContent(plan: CopyPlan, begun: Journal, tools: CopyTools): Promise<MadeCopy> {
  const { move, copy } = plan;
  if (copy === undefined) return { journal: begun, copied: undefined };
  const started = performance.now();
  try {
    await writeJournal(plan.journalPath, begun);
    const journal = { ...begun, to_inode: await makeDestination(move) };
    await writeJournal(plan.journalPath, journal);
    const { last, traits, ...copied } = await copyUntilSame(plan, copy, begun.started_at - RACY_SECONDS, tools);
    const rewritten = await rewrite(plan, last, { ...journal, traits });
    if (plan.directory.kind !== "variable") await removeLeases(move.to);
    await syncFileSystem(move.to, tools.system.calls?.("waiting"));
    return { journal: rewritten, copied: { ...copied, seconds: (performance.now() - started) / 1000 } };
  } catch (error) {
    if (error instanceof Interrupted) {
      throw new Interrupted(error.signal, {
        state: "nothing was switched or deleted yet",
        hint: `run \`${resumeCommand(resumed(plan))}\` to go on`,
      });
    }
    const known = knownError(`Cannot migrate ${move.what} to "${move.to}"`, error);
    throw known === undefined ? error : withResumeHint(known, plan);
  }
}

async function makeDestination({ to }: Move): Promise<number | null> {
  try {
    // The new directory is private until it has the permissions of the old one; its parents get the usual permissions.
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.mkdir(to, { recursive: true, mode: 0o700 });
    return (await Deno.stat(to)).ino;
  } catch (error) {
    throw new CliError("file-system", `Cannot make "${to}": ${messageOf(error)}`, { cause: error });
  }
}

/** Copies until comparing both sides finds nothing more to copy; returns the final comparison and the numbers copied. */
async function copyUntilSame(
  plan: CopyPlan,
  copy: NonNullable<CopyPlan["copy"]>,
  /** A file modified after this may have changed with the same size and time while it was copied: its content is compared. */
  sinceSeconds: number,
  { system, report }: CopyTools,
): Promise<Omit<Copied, "seconds"> & { readonly last: TransferPlan; readonly traits: FileSystemTraits }> {
  const { move } = plan;
  const request = {
    ...copy.request,
    contentsSinceSeconds: sinceSeconds,
    report: (progress: TransferProgress) => tell(move.what, progress, report),
  };
  let different: readonly string[] = [];
  const copied = { files: 0, bytes: 0 };
  for (let pass = 1; pass <= PASSES; pass++) {
    const outcome = pass === 1
      ? await executePlan(copy.transfer, request, system)
      : await transferTree(request, system);
    refuseIncomplete(move, outcome);
    copied.files += outcome.filesTransferred;
    copied.bytes += outcome.bytesTransferred;
    report({ type: "progress", subject: move.what, progress: { phase: "checking", filesDone: 0, bytesDone: 0 } });
    const { traits = USUAL_TRAITS } = outcome.manifest;
    const compared = await compareTrees(copy.real.from, copy.real.to, system, {
      traits,
      contentsSinceSeconds: sinceSeconds,
    });
    const counted = compared.differences.filter(({ path }) => plan.directory.kind === "variable" || !isLockFile(path));
    different = counted.filter(({ kind }) => kind !== "extra" && kind !== "other permissions").map(({ path }) => path);
    if (different.length > 0) continue;
    const extra = counted.filter(({ kind }) => kind === "extra").map(({ path }) => path);
    warnOfExtra(move, await removeLeftovers(copy.real, extra), report);
    const last = pass === 1 ? copy.transfer : await planTransfer(request, system);
    return { ...copied, engine: outcome.engine, last, traits };
  }
  throw new CliError("refused", `Cannot migrate ${move.what}: "${move.from}" changes while it is copied`, {
    lines: different.slice(0, 10).map(printable),
    hint: "end what writes there",
  });
}

function warnOfExtra({ what, to }: Move, extra: readonly string[], report: Report): void {
  if (extra.length === 0) return;
  const text = `"${to}" has what the old directory has no more: ${listSome(extra)}`;
  report({ type: "warning", subject: what, text });
}

/**
 * Removes the temporary files that a killed process left beside its targets: ours, and those of rsync
 * (`.NAME.aB3xYz`, with no second dot if NAME begins with one); returns the other names. The directory was empty when
 * the copying began.
 */
async function removeLeftovers({ from, to }: Move, extra: readonly string[]): Promise<string[]> {
  const others: string[] = [];
  const calls = waitingCalls();
  const [source, copy] = [new Tree(from, calls), new Tree(to, calls)];
  for (const path of extra) {
    const [directory, extraName] = splitLast(path);
    const name = /^\.(.+)\.[A-Za-z0-9]{6}$/s.exec(extraName)?.[1];
    if (parseTemporaryName(extraName) !== undefined) {
      await removeInPlace(`${to}/${path}`);
      continue;
    }
    const isLeftover = name !== undefined && await isFile(copy, directory, extraName) &&
      (await isFile(source, directory, name) || await isFile(source, directory, `.${name}`));
    if (isLeftover) await removeInPlace(`${to}/${path}`);
    else others.push(path);
  }
  for (const tree of [source, copy]) tree.close();
  return others;
}

async function isFile(tree: Tree, directory: string, name: string): Promise<boolean> {
  return (await run(entryAt(tree, directory, name)))?.type === "file";
}

function tell(subject: string, progress: TransferProgress, report: Report): void {
  const phase = progress.phase === "transferring" ? "copying" : progress.phase;
  report({ type: "progress", subject, progress: { ...progress, phase } });
}

function refuseIncomplete(move: Move, outcome: TransferOutcome): void {
  if (outcome.status === "complete" || outcome.vanishedOnly) return;
  const missing = outcome.missing.slice(0, 10).map(({ path, reason }) => `${printable(path)}: ${reason}`);
  throw new CliError("transfer", `Cannot migrate ${move.what}: not everything could be copied to "${move.to}"`, {
    lines: missing.length > 0 ? missing : outcome.stderrTail,
  });
}

async function rewrite(plan: CopyPlan, transfer: TransferPlan, journal: Journal): Promise<Journal> {
  // Planned again from the files that were copied last.
  const rewrites = await planRewrites(plan, plan.copy!.real, transfer);
  if (rewrites.length === 0) return journal;
  const noted = { ...journal, rewritten: rewrittenPaths(rewrites) };
  await writeJournal(plan.journalPath, noted);
  await applyRewrites(rewrites, plan.move.to);
  return noted;
}

/** Removes leases: a lease's heartbeat shows that its holder runs; a copied lease would only make others wait. */
async function removeLeases(directory: string): Promise<void> {
  for (const name of (await readNames(directory)).keys()) {
    if (isLockFile(name) && name.endsWith(".lease")) await Deno.remove(`${directory}/${name}`).catch(() => {});
  }
}

function resumed({ move, destination, oldDirectory }: CopyPlan): Parameters<typeof resumeCommand>[0] {
  return { what: move.what, to: destination.value, oldDirectory };
}

function withResumeHint(error: CliError, plan: CopyPlan): CliError {
  const first = error.hint === undefined || error.kind === "no-space" ? "put that right" : error.hint;
  return new CliError(error.kind, error.message, {
    lines: error.lines,
    hint: `nothing was switched or deleted; ${first}, then run \`${resumeCommand(resumed(plan))}\``,
    cause: error,
  });
}
