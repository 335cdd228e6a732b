// Files that name their own directory and must name the new one after a move: the scripts of Python environments, and links
// with an absolute path into the directory (older uv caches are full of them).
import { joinPath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import { joinName } from "../posix/file_names.ts";
import type { TransferPlan } from "../transfer/transfer.ts";
import { applyRelocation, type Change, planRelocation } from "../venv/relocate.ts";
import { listVenvs } from "../venv/venv.ts";
import type { Move } from "./destination.ts";

/** The changes in one environment, or in the whole directory if `environment` is undefined. */
export interface Rewrite {
  readonly environment: string | undefined;
  /** Paths relative to the environment or directory. */
  readonly changes: readonly Change[];
}

/** The environments directly below `from` and what must change in their copies below `to`. Those that are links stay links. */
export async function planEnvironmentRewrites({ from, to }: Move, real: Move): Promise<Rewrite[]> {
  const movedDirectories = [{ from, to }, { from: real.from, to }];
  const rewrites: Rewrite[] = [];
  for (const { name, path } of await listVenvs(from)) {
    if ((await Deno.lstat(path)).isSymlink) continue;
    const { changes } = await planRelocation(path, joinPath(to, name), { movedDirectories });
    if (changes.length > 0) rewrites.push({ environment: name, changes });
  }
  return rewrites;
}

/** The links in the tree that lead into one of `roots` by an absolute path, with their new targets. */
export function planLinkRewrites(plan: TransferPlan, roots: readonly string[], to: string): Rewrite[] {
  const changes: Change[] = [];
  for (const { directory, records } of plan.directories) {
    for (const [name, { type, linkTarget }] of records) {
      const path = joinName(directory, name);
      if (type !== "link") continue;
      const root = roots.find((root) => linkTarget === root || linkTarget.startsWith(`${root}/`));
      if (root !== undefined) changes.push({ kind: "link", path, leadsTo: to + linkTarget.slice(root.length) });
    }
  }
  return changes.length === 0 ? [] : [{ environment: undefined, changes }];
}

/** The paths that change, relative to the directory. */
export function rewrittenPaths(rewrites: readonly Rewrite[]): string[] {
  return rewrites.flatMap(({ environment, changes }) => changes.map(({ path }) => joinName(environment ?? "", path)));
}

/** Applies the rewrites below `to`. Throws a CliError `file-system` that lists the files that could not be written. */
export async function applyRewrites(rewrites: readonly Rewrite[], to: string): Promise<void> {
  const failed: string[] = [];
  for (const { environment, changes } of rewrites) {
    const failures = await applyRelocation({ root: joinName(to, environment ?? "."), changes });
    failed.push(...failures.map(({ path, error }) => `${path}: ${error}`));
  }
  if (failed.length === 0) return;
  throw new CliError("file-system", `Cannot fix the paths in "${to}"`, { lines: failed.slice(0, 10) });
}
