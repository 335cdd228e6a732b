// Lists of names for the programs that read them from a file. They are in a private directory in $TMPDIR, or where a job's
// TMPDIR does not exist, in /tmp.
import { CliError, messageOf } from "../errors.ts";
import { encodeNameList } from "../posix/file_names.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { isTrustedDirectory } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import { temporaryName } from "../system/temporary_name.ts";

const KIND = "lists";

/** Writes lists; `await using` removes them with their directory. */
export class ListFiles implements AsyncDisposable {
  #directory: Promise<string> | undefined;
  #count = 0;

  constructor(readonly system: Pick<System, "env">) {}

  /** Writes names into a file, each followed by a NUL, and returns its path. */
  async write(names: readonly string[]): Promise<string> {
    const path = `${await (this.#directory ??= makeDirectory(this.system))}/${this.#count++}`;
    await Deno.writeFile(path, encodeNameList(names), { mode: 0o600 });
    return path;
  }

  async remove(path: string): Promise<void> {
    await Deno.remove(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await removeInPlace(directory).catch(() => {});
  }
}

/** Makes the directory, and removes those that killed processes left. */
async function makeDirectory({ env }: Pick<System, "env">): Promise<string> {
  const failures: unknown[] = [];
  for (const parent of [env.TMPDIR, "/tmp"]) {
    if (parent === undefined || !parent.startsWith("/")) continue;
    if (!await isTrustedDirectory(parent, Deno.uid() ?? 0)) {
      failures.push(new Error(`other users can change "${parent}"`));
      continue;
    }
    await sweepDirectory(parent, [KIND]);
    const path = `${parent.replace(/\/+$/, "")}/${temporaryName(KIND)}`;
    try {
      await Deno.mkdir(path, { mode: 0o700 });
      return path;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new CliError(
    "file-system",
    `Cannot make a temporary directory in $TMPDIR or /tmp: ${messageOf(failures.at(-1))}`,
    {
      hint: "export TMPDIR=DIRECTORY, with a directory of this node that you can write",
      cause: failures.at(-1),
    },
  );
}
