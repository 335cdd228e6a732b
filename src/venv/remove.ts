// Removes an environment: only a real one, only below its base, without following links.
import { type AbsolutePath, joinPath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { removeTree } from "../system/remove_tree.ts";
import { venvPath } from "./base.ts";
import { directoriesIn, nameExists } from "../system/existence.ts";

/** The target of a removal. */
export interface VenvTarget {
  readonly path: AbsolutePath;
  /** A `link` itself is removed; its target stays. */
  readonly kind: "directory" | "link";
}

/**
 * The target for an environment of that name, or undefined if there is none. Throws CliErrors: `usage` for a
 * name that is no plain name, `refused` for a directory without a `pyvenv.cfg`.
 */
export async function findRemovable(base: AbsolutePath, name: string): Promise<VenvTarget | undefined> {
  const path = venvPath(base, name);
  const info = await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new CliError("file-system", `Cannot look at "${path}": ${messageOf(error)}`, { cause: error });
  });
  if (info === undefined) return undefined;
  if (info.isSymlink) return { path, kind: "link" };
  const marked = info.isDirectory &&
    await Deno.lstat(`${path}/pyvenv.cfg`).then((cfg) => cfg.isFile, () => false);
  if (!marked) {
    throw new CliError("refused", `Cannot remove "${path}": it is no Python environment (it has no pyvenv.cfg)`);
  }
  const parent = await Deno.stat(base);
  if (parent.dev !== info.dev) {
    throw new CliError("refused", `Cannot remove "${path}": another file system is mounted there`);
  }
  return { path, kind: "directory" };
}

/** The environments inside this one, which would be removed too, by their names. */
export async function innerVenvs(path: AbsolutePath): Promise<string[]> {
  const names: string[] = [];
  for (const name of await directoriesIn(path)) {
    if (await nameExists(`${joinPath(path, name)}/pyvenv.cfg`)) names.push(name);
  }
  return names.sort();
}

/** Removes the environment. Throws a CliError `file-system` that says what could not be removed and why. */
export async function removeVenv(target: VenvTarget): Promise<void> {
  if (target.kind === "directory") return await removeTree(target.path);
  await Deno.remove(target.path).catch((error) => {
    throw new CliError("file-system", `Cannot remove the link "${target.path}": ${messageOf(error)}`, { cause: error });
  });
}
