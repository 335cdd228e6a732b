// Continues the new directories that a killed transfer was building, so that hundreds of gigabytes are not copied again. A file
// is kept only if its type, size, time and mode are still those of the source.
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { joinName } from "../posix/file_names.ts";
import { moveFiles } from "../posix/move_files.ts";
import { type Entry, sameContent, sameMode, sameTime } from "./entry.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";

/** Prefix of directories that are being built. A later transfer has no use for other names in a temporary directory. */
const BUILT = "new-";

/** Whether the process that wrote a temporary directory has ended, or may still write there. */
export type Writer = "has ended" | "may live";

/**
 * Takes over an abandoned temporary directory in which directories were being built: moves it to the path `own` and removes
 * what the next transfer cannot use. If its process may still live, only the files are moved (posix/move_files.ts). Returns
 * the directories that were being built; none if the abandoned directory was left as it is.
 */
export async function takeOver(
  { path: abandoned, writer }: { readonly path: string; readonly writer: Writer },
  own: string,
  runner: JobRunner,
): Promise<Set<string>> {
  const { built, others } = await splitNames(abandoned, runner);
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

/** Removes from a temporary directory what the next transfer cannot continue, and the directory itself if it is empty then. */
export async function removeUnbuilt(path: string, runner: JobRunner): Promise<void> {
  const { built, others } = await splitNames(path, runner);
  if (built.length === 0) return void await runner.run("removeTree", { path });
  for (const name of others) await runner.run("removeTree", { path: `${path}/${name}` });
}

/** The names in a temporary directory: directories that were being built, and all else. */
async function splitNames(temporary: string, runner: JobRunner): Promise<{ built: string[]; others: string[] }> {
  const listing = (await listDirectories({ root: temporary, facts: "names" }, [""], runner)).entries.get("");
  const names = listing === undefined || "unreadable" in listing ? [] : listing.entries.map(({ name }) => name);
  return {
    built: names.filter((name) => name.startsWith(BUILT)),
    others: names.filter((name) => !name.startsWith(BUILT)),
  };
}

/**
 * Removes from a directory that was being built what differs from the source now, or does not take part any more. `path` is the
 * path that the directory will get.
 */
export async function removeOutdated(
  { path, written }: { readonly path: string; readonly written: string },
  settings: CopySettings & { readonly temporary: string; readonly selection: Selection | undefined },
  runner: JobRunner,
): Promise<void> {
  const { temporary, from } = settings;
  for (let level: readonly string[] = [written]; level.length > 0;) {
    if (settings.keep === "copy") {
      // A directory may have its final mode already; that of a push is writable.
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
  // A file with several names is removed and copied again, because one job makes all its names.
  if (source.linkGroup !== "" || built.linkGroup !== "") return false;
  const hasMode = keep === "content" || modes === "ignored" || sameMode(source, built);
  return sameContent(source, built, timeStep) && sameTime(source, built, timeStep) && hasMode;
}
