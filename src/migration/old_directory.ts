// The last part of a migration: the old directory is renamed, compared once more, and deleted only if nothing in it is new.
import { knownError, messageOf } from "../errors/errors.ts";
import { listSome, shellWord } from "../text/format.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { compareTrees } from "../transfer/compare.ts";
import { RACY_SECONDS } from "../transfer/racy.ts";
import { sameTime } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { USUAL_TRAITS } from "../transfer/traits.ts";
import { type Journal, writeJournal } from "./journal.ts";
import { isLockFile } from "./locks.ts";
import { nameExists } from "../system/existence.ts";

/** The final state of the old directory. */
export interface OldDirectoryOutcome {
  readonly deleted: boolean;
  /** Its path now, if it still exists. */
  readonly keptAt: string | undefined;
  readonly warnings: readonly OldDirectoryWarning[];
  /** Part of it should have been deleted but could not be. */
  readonly failed: boolean;
}

/** A warning about the old directory. */
export interface OldDirectoryWarning {
  readonly text: string;
  readonly hint: string;
}

/** Renames the old directory and deletes it if it is unchanged since it was copied. Nothing here undoes the migration. */
export async function retireOldDirectory(
  journal: Journal,
  journalPath: string,
  system: System,
): Promise<OldDirectoryOutcome> {
  const { from, aside } = journal;
  const old = await Deno.lstat(from).catch(() => undefined);
  const isAside = await nameExists(aside);
  if (old === undefined && !isAside) return { deleted: true, keptAt: undefined, warnings: [], failed: false };
  if (!isAside) {
    if (old?.isSymlink === true) return keep(from, "it is a symbolic link, and what it leads to may have other users");
    try {
      await Deno.rename(from, aside);
    } catch (error) {
      return keep(from, `it cannot be put aside: ${messageOf(error)}`);
    }
  }
  const again = isAside && old !== undefined ? [writtenAgain(journal)] : [];
  if (journal.phase !== "deleting") {
    const changed = await findChanges(journal, system);
    if (changed !== undefined) return withWarnings(keep(aside, changed), again);
    await writeJournal(journalPath, { ...journal, phase: "deleting" });
  }
  return withWarnings(await removeAside(aside, system), again);
}

function keep(path: string, why: string): OldDirectoryOutcome {
  const warning = {
    text: `the old directory is kept in "${path}": ${why}`,
    hint: `when you do not need it any more: rm -r ${shellWord(path)}`,
  };
  return { deleted: false, keptAt: path, warnings: [warning], failed: false };
}

function withWarnings(outcome: OldDirectoryOutcome, more: readonly OldDirectoryWarning[]): OldDirectoryOutcome {
  return { ...outcome, warnings: [...more, ...outcome.warnings] };
}

function writtenAgain({ from, to }: Journal): OldDirectoryWarning {
  return {
    text: `"${from}" exists again: something still writes to it`,
    hint: `find out what it is, then bring over what is new: rsync -a ${shellWord(`${from}/`)} ${shellWord(`${to}/`)}`,
  };
}

/** Why the old directory must not be deleted, or undefined if the new one has all of it. */
async function findChanges(journal: Journal, system: System): Promise<string | undefined> {
  try {
    const changed = [...await listDifferences(journal, system), ...await listLateRewrites(journal, system)];
    return changed.length === 0 ? undefined : `it changed while it was moved: ${listSome(changed)}`;
  } catch (error) {
    const known = knownError("it cannot be compared", error);
    if (known === undefined) throw error;
    return known.message;
  }
}

async function listDifferences(journal: Journal, system: System): Promise<string[]> {
  const { aside, to, rewritten, field, traits } = journal;
  const differences = (await compareTrees(aside, to, system, {
    traits,
    contentsSinceSeconds: journal.started_at - RACY_SECONDS,
  })).differences
    .filter(({ kind }) => kind !== "extra" && kind !== "other permissions").map(({ path }) => path);
  const expected = new Set(rewritten);
  return differences.filter((name) => !expected.has(name) && !(field !== "source" && isLockFile(name)));
}

const MILLISECOND = 1_000_000;

/** Rewritten files keep the time of their originals; an original with another time was changed afterwards. */
async function listLateRewrites(
  { aside, to, rewritten, traits = USUAL_TRAITS }: Journal,
  system: System,
): Promise<string[]> {
  await using runner = await prepareJobRunner({ roots: [aside, to] }, system);
  const [old, copies] = await Promise.all([aside, to].map((root) => lookAtPaths(root, rewritten, runner)));
  return rewritten.filter((path) => {
    const [before, copy] = [old!.get(path), copies!.get(path)];
    if (before?.type !== "file") return false;
    // Compiled code of a rewritten module is not in the copy.
    if (copy === undefined && path.endsWith(".pyc")) return false;
    // Copies that an earlier version rewrote have their times in milliseconds.
    return copy === undefined || !sameTime(before, copy, Math.max(MILLISECOND, traits.timeStep));
  });
}

async function removeAside(aside: string, system: System): Promise<OldDirectoryOutcome> {
  try {
    // A signal may stop it between two names: the next run continues.
    await removeInPlace(aside, system.signal);
    return { deleted: true, keptAt: undefined, warnings: [], failed: false };
  } catch (error) {
    system.signal.throwIfAborted();
    const { text, hint } = keep(aside, `not all of it could be deleted: ${messageOf(error)}`).warnings[0]!;
    return { deleted: false, keptAt: aside, warnings: [{ text, hint }], failed: true };
  }
}
