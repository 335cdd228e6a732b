// The directory on scratch that holds the targets: ours alone.
import { CliError, messageOf } from "../errors.ts";

/** Makes the cache root (0700) if it isn't there. Refuses one that belongs to somebody else. */
export async function prepareCacheRoot(cacheRoot: string, userId: number): Promise<void> {
  try {
    await Deno.mkdir(cacheRoot, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliError("file-system", `Cannot create "${cacheRoot}": ${messageOf(error)}`, {
      hint: "check the space and the permissions of scratch, or set another scratch_base",
      cause: error,
    });
  }
  const info = await Deno.stat(cacheRoot);
  if (info.uid !== null && info.uid !== userId) {
    throw new CliError("refused", `Cannot use "${cacheRoot}": it belongs to another user`, {
      hint: "set another cache_root: `euler-files config set cache_root .cache/euler-files-$USER`",
    });
  }
  // Where others may write they could put a marker or a copy of theirs under our names; older versions left it to the umask.
  const mode = info.mode ?? 0o700;
  if ((mode & 0o022) !== 0) await Deno.chmod(cacheRoot, mode & 0o7755);
}
