// Copies on a node's disk that outlives jobs: those that no job has used for long are removed, since nothing else does.
import type { Report } from "../contract/events.ts";
import { lstatIfPresent } from "../system/existence.ts";
import { readNamesIfThere } from "../posix/read_names.ts";

/** A copy that no sync has used for so long is removed. A job that runs longer than that can lose its copy. */
const OLD_MILLISECONDS = 30 * 24 * 3600 * 1000;

/** The names of copies in our directory on the node's disk that were not used for long. */
export async function oldCopies(root: string, keep: readonly string[], nowMilliseconds: number): Promise<string[]> {
  const old: string[] = [];
  for (const name of (await readNamesIfThere(root))?.keys() ?? []) {
    const [, variable] = /^\.([A-Za-z_][A-Za-z0-9_]*)\.synced$/.exec(name) ?? [];
    if (variable === undefined || keep.includes(variable)) continue;
    const info = await lstatIfPresent(`${root}/${name}`);
    if (nowMilliseconds - (info?.mtime?.getTime() ?? nowMilliseconds) > OLD_MILLISECONDS) old.push(variable);
  }
  return old;
}

/** Notes that a copy is used now: its marker gets the present time. */
export async function noteUse(marker: string, nowMilliseconds: number): Promise<void> {
  const now = new Date(nowMilliseconds);
  await Deno.utime(marker, now, now).catch(() => {});
}

/** Reports what became of an old copy. */
export function tellOldCopy(name: string, outcome: "removed" | "kept", report: Report): void {
  const text = outcome === "removed"
    ? "its copy on this node was not used for 30 days and is removed"
    : "its copy on this node was not used for 30 days, but has files that were never pushed: it is kept";
  report({ type: "note", subject: name, text });
}
