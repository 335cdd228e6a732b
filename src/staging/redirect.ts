// Redirected variables: each names an empty directory of its own instead of a copy. It is for caches of which a copy is worth
// nothing: what pip and uv download again, what compilers make for one processor.
import { type AbsolutePath, joinPath } from "../config/paths.ts";
import { preparePrivateDirectory } from "./private_directory.ts";

/** The directory of a redirected variable. It is not that of a staged one, which may hold a copy from before. */
export function redirectedTarget(root: AbsolutePath, name: string): AbsolutePath {
  return joinPath(root, `.redirected/${name}`);
}

/** Makes the directory; the root exists. What earlier jobs left there stays. Throws a CliError. */
export async function prepareRedirected(root: AbsolutePath, name: string, userId: number): Promise<void> {
  await preparePrivateDirectory(`${root}/.redirected`, userId);
  await preparePrivateDirectory(redirectedTarget(root, name), userId);
}
