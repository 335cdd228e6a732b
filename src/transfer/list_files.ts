// Lists of names for the programs that read them from a file. They are in a private directory in $TMPDIR, or where a job's
// TMPDIR does not exist, in /tmp.
import { CliError, messageOf } from "../errors.ts";
import { encodeNameList } from "../posix/file_names.ts";

/** Writes lists; `await using` removes them with their directory. */
export class ListFiles implements AsyncDisposable {
  #directory: Promise<string> | undefined;
  #count = 0;

  /** Writes names into a file, each followed by a NUL, and returns its path. */
  async write(names: readonly string[]): Promise<string> {
    const path = `${await (this.#directory ??= makeDirectory())}/${this.#count++}`;
    await Deno.writeFile(path, encodeNameList(names), { mode: 0o600 });
    return path;
  }

  async remove(path: string): Promise<void> {
    await Deno.remove(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await Deno.remove(directory, { recursive: true }).catch(() => {});
  }
}

async function makeDirectory(): Promise<string> {
  const prefix = "euler-files-";
  try {
    return await Deno.makeTempDir({ prefix }).catch(() => Deno.makeTempDir({ prefix, dir: "/tmp" }));
  } catch (error) {
    throw new CliError("file-system", `Cannot make a temporary directory in $TMPDIR or /tmp: ${messageOf(error)}`, {
      hint: "export TMPDIR=DIRECTORY, with a directory of this node that you can write",
      cause: error,
    });
  }
}
