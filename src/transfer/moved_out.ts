// Directories that were moved into the temporary directory to be removed there. A list of them is written before: after a crash
// or an error they are moved back, since another program may have written into them just before the move.
import type { JobRunner } from "./job_runner.ts";
import { listDirectories } from "./listing.ts";

const PREFIX = "moved-";

/** A directory's path and its name in the temporary directory. */
export type MovedOut = readonly [path: string, written: string];

/** Writes the list of directories to be moved and returns its path. The caller removes it when all of them are removed. */
export async function noteMoves(temporary: string, moves: readonly MovedOut[]): Promise<string> {
  const path = `${temporary}/${PREFIX}${moves[0]![1]}`;
  await Deno.writeTextFile(path, JSON.stringify(moves), { createNew: true, mode: 0o600 });
  return path;
}

/** Moves back the directories of `to` that a temporary directory still has; newer names in `to` stay. Throws if that fails. */
export async function moveBack(temporary: string, to: string, runner: JobRunner): Promise<void> {
  const listing = (await listDirectories({ root: temporary, facts: "names" }, [""], runner)).entries.get("");
  if (listing === undefined || "unreadable" in listing) return;
  for (const { name } of listing.entries.filter(({ name }) => name.startsWith(PREFIX))) {
    const moves = parse(await Deno.readTextFile(`${temporary}/${name}`));
    const items = moves.map(([path, written]) => [written, path, "", ""] as const);
    const results = await runner.run("publishDirectories", { temporary, to, items });
    const failed = results.find((result) => result?.kind === "failed" && !result.isMissing);
    if (failed?.kind === "failed") throw new Error(failed.reason);
  }
}

/** A crash during the writing of the list cuts it off; nothing was moved then. */
function parse(text: string): readonly MovedOut[] {
  try {
    const moves: unknown = JSON.parse(text);
    return Array.isArray(moves) ? moves.filter(isMove) : [];
  } catch {
    return [];
  }
}

function isMove(move: unknown): move is MovedOut {
  return Array.isArray(move) && move.length === 2 && move.every((name) => typeof name === "string") &&
    !move.some((name) => name.split("/").some((part: string) => part === "" || part === "." || part === ".."));
}
