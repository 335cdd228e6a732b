// A directory of ours where other users may write: /tmp, scratch, or the disk of a node. Its mode is set to 0700.
import { CliError, messageOf } from "../errors/errors.ts";

/**
 * Makes a directory for its owner alone (0700), or checks that the existing one is a directory of ours and no link. The
 * directory above it must exist. Throws a CliError.
 */
export async function preparePrivateDirectory(path: string, userId: number): Promise<void> {
  await Deno.mkdir(path, { mode: 0o700 }).catch((error) => {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw new CliError("file-system", `Cannot create "${path}": ${messageOf(error)}`, { cause: error });
  });
  const info = await Deno.lstat(path);
  if (!info.isDirectory || info.uid !== userId) {
    const what = info.isDirectory ? "it belongs to another user" : "it is not a directory";
    throw new CliError("refused", `Cannot use "${path}": ${what}`, {
      hint: "set another node_base: `euler-files config set node_base DIRECTORY`",
    });
  }
  if (((info.mode ?? 0o700) & 0o077) !== 0) await Deno.chmod(path, 0o700);
}
