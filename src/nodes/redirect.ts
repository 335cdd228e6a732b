// Redirected variables: each names a directory that starts empty and is never copied. They are for caches that are not worth
// copying: pip and uv download theirs again, and compilers write code for one type of processor.
import { type AbsolutePath, joinPath } from "../config/paths.ts";
import { preparePrivateDirectory } from "./private_directory.ts";

/** The directory that holds those of all redirected variables. */
export function redirectedRoot(root: string): string {
  return `${root}/.redirected`;
}

/** The directory of a redirected variable. A staged variable's target has another path, because it may hold an earlier copy. */
export function redirectedTarget(root: AbsolutePath, name: string): AbsolutePath {
  return joinPath(root, `.redirected/${name}`);
}

/** Makes the directory, below a root that exists. Files of earlier jobs stay in it. Throws a CliError. */
export async function prepareRedirected(root: AbsolutePath, name: string, userId: number): Promise<void> {
  await preparePrivateDirectory(redirectedRoot(root), userId);
  await preparePrivateDirectory(redirectedTarget(root, name), userId);
}
