// Whether names exist, and removing those that may not exist. Code that has to tell "not found" from other errors in another
// way has a check of its own.
import { readNamesIfThere } from "../posix/read_names.ts";

/** Whether a name exists, wherever it leads if it is a link. False also if it cannot be looked at. */
export async function nameExists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Whether a path leads to something; links are followed. False also if it cannot be looked at. */
export async function pathExists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Whether a path leads to a directory; links are followed. False also if it cannot be looked at. */
export async function isDirectory(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isDirectory, () => false);
}

/** The closest directory that exists: this path or one above it, as an absolute path. */
export async function nearestDirectory(path: string): Promise<string> {
  for (let at = path; at !== "" && at !== "/"; at = at.slice(0, at.lastIndexOf("/"))) {
    if (await isDirectory(at)) return at;
  }
  return "/";
}

/** What lstat(2) tells of a name; undefined if it does not exist. Throws any other error. */
export async function lstatIfPresent(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}

/** Whether an error says that a path leads to nothing, or may not be followed. */
export function isMissingOrForbidden(error: unknown): boolean {
  const { NotFound, NotADirectory, FilesystemLoop, PermissionDenied } = Deno.errors;
  return [NotFound, NotADirectory, FilesystemLoop, PermissionDenied].some((kind) => error instanceof kind);
}

/**
 * The path without links; undefined if it leads to nothing or may not be followed. Throws any other error, such as that of a
 * server that answers wrongly for a moment: that says nothing of the path.
 */
export async function realPathIfPresent(path: string): Promise<string | undefined> {
  return await Deno.realPath(path).catch((error) => {
    if (isMissingOrForbidden(error)) return undefined;
    throw error;
  });
}

/** Removes a file or an empty directory, if it exists. Throws any other error. */
export async function removeIfPresent(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** The names of the directories in a directory, in its order; none if it does not exist. Throws a SystemCallError. */
export async function directoriesIn(directory: string): Promise<string[]> {
  const kinds = await readNamesIfThere(directory) ?? new Map();
  return [...kinds].filter(([, kind]) => kind === "d").map(([name]) => name);
}
