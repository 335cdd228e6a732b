// Files that a node could not push because scratch had other ones. They are in `.NAME.from/JOB.NODE` beside the copy on scratch
// until a person has decided: a push removes what scratch has by then, and `status` names the rest.
import { CliError } from "../errors/errors.ts";
import { formatFiles, listSome, shellWord } from "../text/format.ts";
import { removeAside, setAside } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { findDifferent } from "../transfer/compare_contents.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { planTransfer } from "../transfer/transfer.ts";
import { layoutOf } from "../variables/layout.ts";
import { directoriesIn, nameExists } from "../system/existence.ts";
import { describeFrom, readSavedPush, type SavedPaths, savedPaths } from "./saved_push.ts";

/** The files of one push of one node. */
export interface SavedFiles {
  /** `JOB.NODE` */
  readonly from: string;
  readonly directory: string;
  /** Those that scratch lacks or has with another content. */
  readonly paths: readonly string[];
}

/**
 * The saved files of a variable that are not settled; a directory in which all are is left out, or removed. Pushes that are not
 * merged yet are left out as well, since a node may write there.
 */
export async function unsettledFiles(
  cacheRoot: string,
  name: string,
  settled: "left out" | "removed",
  system: System,
): Promise<SavedFiles[]> {
  const root = layoutOf(cacheRoot, name).saved;
  const found: SavedFiles[] = [];
  for (const from of (await directoriesIn(root)).toSorted()) {
    const paths = savedPaths(root, from);
    if (await nameExists(paths.record)) continue;
    const cut = await readSavedPush(paths.cut);
    const { directory } = paths;
    const { target } = layoutOf(cacheRoot, name);
    const plan = await planTransfer({
      ...{ from: directory, to: target, intent: "mirror", contents: "compare" },
      ...{ depth: "look-at-all", engine: "native", extraArgs: [], record: undefined },
    }, system).catch((error) => {
      if (error instanceof CliError) return undefined;
      throw error;
    });
    if (plan === undefined) continue;
    const different = (await differentPaths(directory, target, plan.transfers, system))
      .filter((path) => cut?.changed.has(path) !== true);
    const isSettled = different.length + plan.unreadable.length === 0;
    if (!isSettled) found.push({ from, directory, paths: different });
    else if (settled === "removed" && cut === undefined) await removeUnlessUsed(paths);
  }
  if (found.length === 0 && settled === "removed") await Deno.remove(root).catch(() => {});
  return found;
}

/** Removes a settled directory. Another command may do so as well, or a push may begin to save there: that one keeps it. */
async function removeUnlessUsed({ directory, record }: SavedPaths): Promise<void> {
  const aside = await setAside(directory).catch(() => undefined);
  if (aside === undefined) return;
  if (await nameExists(record) && await Deno.rename(aside, directory).then(() => true, () => false)) return;
  await removeAside(directory, aside).catch(() => {});
}

/** The paths with another content, whatever their times are. */
async function differentPaths(
  from: string,
  to: string,
  paths: readonly string[],
  system: System,
): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const runner = await prepareJobRunner({ roots: [from, to] }, system);
  try {
    const [saved, there] = [await lookAtPaths(from, paths, runner), await lookAtPaths(to, paths, runner)];
    const isOfSameSize = (path: string) =>
      saved.get(path)?.type === "file" && there.get(path)?.type === "file" &&
      saved.get(path)?.sizeBytes === there.get(path)?.sizeBytes;
    const compared = paths.filter(isOfSameSize).map((path) => ({
      path,
      sizeBytes: saved.get(path)!.sizeBytes,
      isFollowed: false,
    }));
    const different = await findDifferent({ from, to }, compared, runner);
    return paths.filter((path) => !isOfSameSize(path) || different.has(path));
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** The warnings for saved files. */
export function savedWarnings(
  name: string,
  target: string,
  saved: readonly SavedFiles[],
): { readonly text: string; readonly hint: string }[] {
  return saved.map(({ from, directory, paths }) => ({
    text:
      `${formatFiles(paths.length)} of ${
        describeFrom(from)
      }, not pushed because scratch has a different version, or cannot take ${paths.length === 1 ? "it" : "them"}: ` +
      listSome(paths, 3),
    hint:
      `compare ${shellWord(directory)} with ${shellWord(target)}; copy the right versions to the second one and run ` +
      `\`euler-files push --var ${name}\`, which removes the saved files that are settled`,
  }));
}
