// The Python that an environment was made from may have moved together with it: below the same directory, with the same path there.
import { asBytes, replacePaths } from "./relocation_text.ts";
import { pathExists } from "../system/existence.ts";

/** A directory that moved, with everything in it. */
export interface MovedDirectory {
  readonly from: string;
  readonly to: string;
}

/** The lines of `pyvenv.cfg` that name the base Python; uv, venv and virtualenv write some of them each. */
const BASE_KEYS_REGEXP = /^(home|executable|base-(executable|prefix|exec-prefix))\s*=\s*(\/.*?)\s*$/gim;

/**
 * The directories that must have moved if the environment moved from one of `former` to `newRoot`: their parents, as far up as
 * the names are the same. Only those count whose old path is gone and below which the base Python exists at its new path.
 */
export async function findMovedBases(
  pyvenvCfg: string,
  former: readonly string[],
  newRoot: string,
): Promise<MovedDirectory[]> {
  const paths = [...pyvenvCfg.matchAll(BASE_KEYS_REGEXP)].map((match) => match[3]!);
  const found: MovedDirectory[] = [];
  for (const moved of former.flatMap((root) => movedParents(root, newRoot))) {
    const inside = paths.find((path) => path.startsWith(`${moved.from}/`));
    if (inside === undefined || await pathExists(inside)) continue;
    if (await pathExists(moved.to + inside.slice(moved.from.length))) found.push(moved);
  }
  return found;
}

/** `/old/envs/a` that is now `/new/envs/a`: `/old/envs` and `/old` moved. Pure. */
function movedParents(from: string, to: string): MovedDirectory[] {
  const found: MovedDirectory[] = [];
  let [old, now] = [from, to];
  while (nameOf(old) === nameOf(now) && old !== now) {
    [old, now] = [parentOf(old), parentOf(now)];
    if (old === "" || now === "" || old === now) break;
    found.push({ from: old, to: now });
  }
  return found;
}

/** The text of `pyvenv.cfg` with the base Python where the moved directories are now. Pure. */
export function rewriteBase(text: string, moved: readonly MovedDirectory[]): string {
  return text.replace(BASE_KEYS_REGEXP, (line) =>
    moved.reduce(
      (changed, { from, to }) => replacePaths(changed, { from: [asBytes(from)], to: asBytes(to) }, "data"),
      line,
    ));
}

/** The target of a link into a moved directory, or undefined. Pure. */
export function movedTarget(leadsTo: string, moved: readonly MovedDirectory[]): string | undefined {
  const found = moved.find(({ from }) => leadsTo.startsWith(`${from}/`));
  return found === undefined ? undefined : found.to + leadsTo.slice(found.from.length);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
