// What has arrived of a push that was cut off, and the warnings about what has not.
import { formatCount, formatFiles, listSome, shellWord } from "../text/format.ts";
import {
  describeFrom,
  readSavedPush,
  type SavedPaths,
  type SavedPush,
  savedPushes,
  writeSavedPush,
} from "../nodes/saved_push.ts";
import { splitLast } from "../posix/file_names.ts";
import { findHolder } from "../system/file_lock.ts";
import { removeIfExists } from "../system/existence.ts";
import type { System } from "../system/system.ts";
import { mainNameOf, namesOfDatabase } from "../transfer/database_files.ts";
import { type EntryState, sameContent } from "../transfer/entry.ts";
import { labelOf, stateText } from "../transfer/entry_text.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";
import { lookAtAll } from "./save_push.ts";

/** The variable and the settings, for its saved pushes. */
export interface CutOffRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
}

/** Those of `files` that a directory has with the same size and time, with the states that they have there. */
export async function sameFiles(
  root: string,
  files: ReadonlyMap<string, EntryState>,
  timeStep: number,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const there = await lookAtAll(root, files.keys(), system);
  return new Map([...there].filter(([path, found]) => sameContent(files.get(path)!, found, timeStep)));
}

/** The files that have arrived with the size and the time that they had on the node, as they are on scratch. */
export async function wholeFiles(
  directory: string,
  { changed, timeStep }: SavedPush,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const whole = await sameFiles(directory, changed, timeStep, system);
  // All files of a database are merged, or none.
  const isWhole = (path: string) => {
    const names = namesOfDatabase(mainNameOf(path) ?? path);
    return names.every((name) => !changed.has(name) || whole.has(name));
  };
  return new Map([...whole].filter(([path]) => isWhole(path)));
}

/** Removes files from the directory of a push, unless they are changed meanwhile. */
export async function removeSaved(
  { directory: root }: SavedPaths,
  files: ReadonlyMap<string, EntryState>,
  system: System,
): Promise<void> {
  const items = [...files].map(([path, state]) => {
    const [directory, name] = splitLast(path);
    return [directory, labelOf(name, state.linkTarget), stateText(state)] as const;
  });
  if (items.length === 0) return;
  const runner = await prepareJobRunner({ roots: [root] }, system);
  try {
    await runner.run("remove", { root, check: "look again", items }, { names: items.length });
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** Records the files of a push that did not arrive, with those that are recorded already. */
export async function recordCut(saved: SavedPaths, push: SavedPush, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const earlier = await readSavedPush(saved.cut);
  const states = paths.flatMap((path): [string, EntryState][] => {
    const state = push.changed.get(path);
    return state === undefined ? [] : [[path, state]];
  });
  await writeSavedPush(saved.cut, { ...push, changed: new Map([...earlier?.changed ?? [], ...states]) });
}

/** Forgets the files that did not arrive, but have come to scratch by a later push. The caller holds the variable lock. */
export async function settleCut({ variable, settings }: CutOffRequest, system: System): Promise<void> {
  for (const saved of await savedPushes(settings.cacheRoot, variable.name, "cut")) {
    const push = await readSavedPush(saved.cut);
    if (push === undefined) continue;
    const left = await filesCut(push, variable.target, system);
    if (left.size === push.changed.size) continue;
    const settled = [...push.changed.keys()].filter((path) => !left.has(path));
    await removeSaved(saved, await lookAtAll(saved.directory, settled, system), system);
    if (left.size === 0) await removeIfExists(saved.cut);
    else await writeSavedPush(saved.cut, { ...push, changed: left });
  }
}

/** The files of a record that the copy on scratch does not have as the node had them. */
async function filesCut(
  { changed, base, timeStep }: SavedPush,
  target: string,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const there = await sameFiles(target, changed, timeStep, system);
  const isBefore = (path: string, state: EntryState) => {
    const [directory, name] = splitLast(path);
    const before = base?.entriesOf(directory)?.get(name);
    // With coarse times a file from before the push may have the size and the time of the changed one.
    return before !== undefined && sameContent(before, state, timeStep);
  };
  return new Map([...changed].filter(([path, state]) => !there.has(path) || isBefore(path, state)));
}

/** The warnings for pushes that were cut off. */
export async function cutOffWarnings(
  { variable: { name, target }, settings: { cacheRoot } }: CutOffRequest,
  system: System,
): Promise<{ readonly text: string; readonly hint: string }[]> {
  const warnings: { readonly text: string; readonly hint: string }[] = [];
  for (const saved of await savedPushes(cacheRoot, name, "push")) {
    if (await findHolder(saved.lock, system) !== undefined) continue;
    const push = await readSavedPush(saved.record);
    if (push === undefined) continue;
    const whole = await wholeFiles(saved.directory, push, system);
    const all = formatFiles(push.changed.size);
    warnings.push({
      text: `the push of ${describeFrom(saved.from)} was cut off; ${
        formatCount(whole.size)
      } of ${all} arrived on scratch`,
      hint: `\`euler-files push --var ${name}\` goes on with it`,
    });
  }
  for (const saved of await savedPushes(cacheRoot, name, "cut")) {
    const push = await readSavedPush(saved.cut);
    const cut = push === undefined ? [] : [...(await filesCut(push, target, system)).keys()];
    if (cut.length > 0) warnings.push(cutWarning(saved, cut));
  }
  return warnings;
}

/** How many files the command of a warning names; more are removed with their directory. */
const NAMED_IN_COMMAND = 10;

/** Conflicts of the same push are in the directory as well, so the files are named where that is possible. */
function removal(directory: string, cut: string, paths: readonly string[]): string {
  const files = paths.map((path) => shellWord(`${directory}/${path}`));
  return paths.length > NAMED_IN_COMMAND
    ? `rm -r ${shellWord(directory)} ${shellWord(cut)}`
    : `rm -f ${[...files, shellWord(cut)].join(" ")}`;
}

/** The warning for files that a push did not bring to scratch before it was cut off. */
export function cutWarning(
  { from, directory, cut }: Omit<SavedPaths, "record" | "lock">,
  paths: readonly string[],
): { readonly text: string; readonly hint: string } {
  return {
    text: `${formatFiles(paths.length)} of ${describeFrom(from)} did not arrive before its push was cut off: ${
      listSome(paths, 3)
    }`,
    hint: `look on that node if its disk outlives the job; \`${
      removal(directory, cut, paths)
    }\` removes what arrived of them, and this warning`,
  };
}
