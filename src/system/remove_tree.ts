// Removing a whole directory so that nobody sees half of it: aside by one rename, then file by file. No link is followed.
import { CliError, messageOf } from "../errors.ts";

/**
 * Removes the directory. Its parent must be writable. If something inside can't be removed, what is left stays under a hidden
 * name beside it, which the error (a CliError `file-system`) gives; so does one of an earlier, interrupted removal go first.
 */
export async function removeTree(path: string): Promise<void> {
  const slash = path.lastIndexOf("/");
  const [parent, name] = [path.slice(0, slash), path.slice(slash + 1)];
  const aside = `${parent}/.${name}.removing`;
  try {
    await removeIfThere(aside);
    await Deno.rename(path, aside);
  } catch (error) {
    throw new CliError("file-system", `Cannot remove "${path}": ${messageOf(error)}`, { cause: error });
  }
  await removeIfThere(aside).catch((error) => {
    throw new CliError("file-system", `Cannot remove all of "${path}": ${messageOf(error)}`, {
      hint: `what is left is in "${aside}"`,
      cause: error,
    });
  });
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
