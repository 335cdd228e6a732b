// What a killed transfer has built of new directories, taken over by the next one: hundreds of gigabytes are not copied again.
// Only what still is as at the source is kept, by type, size, time and mode.
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { joinName } from "../posix/file_names.ts";
import { moveFiles } from "../posix/move_files.ts";
import { type Entry, sameContent, sameMode, sameTime } from "./entry.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";

/** How the names of directories that are being built begin; all other names in a temporary directory are of no use to anybody. */
const BUILT = "new-";

/** Whether the process that wrote something may write there yet. */
export type Writer = "has ended" | "may live";

/**
 * Takes over an abandoned temporary directory if something was being built in it: moves it to the path `own`, and removes what is
 * of no use. Where its process may live, only the files are moved (move_files.ts). Returns the directories that were being built;
 * none where it was left as it is.
 */
export async function takeOver(
  { path: abandoned, writer }: { readonly path: string; readonly writer: Writer },
  own: string,
  runner: JobRunner,
): Promise<Set<string>> {
  const { built, others } = await namesIn(abandoned, runner);
  if (built.length === 0) return new Set();
  if (writer === "may live") {
    await moveFiles(abandoned, own, runner.here.calls, others);
    await runner.run("removeTree", { path: abandoned });
    return new Set(built);
  }
  await Deno.rename(abandoned, own);
  for (const name of others) await runner.run("removeTree", { path: `${own}/${name}` });
  return new Set(built);
}

/** Removes from a temporary directory what the next transfer can't go on with, and the directory itself if nothing else is in it. */
export async function removeUnbuilt(path: string, runner: JobRunner): Promise<void> {
  const { built, others } = await namesIn(path, runner);
  if (built.length === 0) return void await runner.run("removeTree", { path });
  for (const name of others) await runner.run("removeTree", { path: `${path}/${name}` });
}

async function namesIn(temporary: string, runner: JobRunner): Promise<{ built: string[]; others: string[] }> {
  const listing = (await listDirectories({ root: temporary, facts: "names" }, [""], runner)).entries.get("");
  const names = listing === undefined || "unreadable" in listing ? [] : listing.entries.map(({ name }) => name);
  return {
    built: names.filter((name) => name.startsWith(BUILT)),
    others: names.filter((name) => !name.startsWith(BUILT)),
  };
}

/**
 * Removes from a directory that was being built what is not as at the source now, or does not take part any more. `path` is what it
 * will be.
 */
export async function removeOutdated(
  { path, written }: { readonly path: string; readonly written: string },
  settings: CopySettings & { readonly temporary: string; readonly selection: Selection | undefined },
  runner: JobRunner,
): Promise<void> {
  const { temporary, from } = settings;
  for (let level: readonly string[] = [written]; level.length > 0;) {
    if (settings.keep === "copy") {
      // A directory may have its last mode already; those of a push are made with it, and can be written.
      await runner.run("modes", { root: temporary, items: level.map((directory) => [directory, 0o700] as const) });
    }
    const { entries } = await listDirectories({ root: temporary, facts: "full" }, level, runner);
    const next: string[] = [];
    for (const directory of level) {
      const listing = entries.get(directory);
      if (listing === undefined || "unreadable" in listing) continue;
      const above = path + directory.slice(written.length);
      const sources = await lookAtPaths(from, listing.entries.map(({ name }) => joinName(above, name)), runner);
      for (const entry of listing.entries) {
        const built = joinName(directory, entry.name);
        const source = sources.get(joinName(above, entry.name));
        const type = nameTypeOf(entry.type, entry.sizeBytes);
        const takesPart = settings.selection?.includes(joinName(above, entry.name), type) !== false;
        if (!takesPart || source === undefined || !isStillOf(source, entry, settings)) {
          await runner.run("removeTree", { path: `${temporary}/${built}` });
        } else if (entry.type === "directory") next.push(built);
      }
    }
    level = next;
  }
}

function isStillOf(source: Entry, built: Entry, { keep, traits: { timeStep, modes } }: CopySettings): boolean {
  if (source.type === "directory" || built.type === "directory") return source.type === built.type;
  // Names of one file are made together.
  if (source.linkGroup !== "" || built.linkGroup !== "") return false;
  const hasMode = keep === "content" || modes === "ignored" || sameMode(source, built);
  return sameContent(source, built, timeStep) && sameTime(source, built, timeStep) && hasMode;
}
