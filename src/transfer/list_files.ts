// Lists of names for programs that read them from a file. The files are in a private directory in $TMPDIR, or in /tmp if a
// job's TMPDIR does not exist or is full.
import { CliError, messageOf } from "../errors/errors.ts";
import { encodeNameList } from "../posix/file_names.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { isTrustedDirectory } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import { temporaryName } from "../system/temporary_name.ts";

const KIND = "lists";

/** Writes lists; `await using` removes the files with their directories. */
export class ListFiles implements AsyncDisposable {
  readonly #directories = new Map<string, Promise<string>>();
  #count = 0;

  constructor(readonly system: Pick<System, "env">) {}

  /**
   * Writes names into a file, each followed by a NUL, and returns its path. Throws a CliError where neither directory accepts
   * it: one may not exist, the other may be full.
   */
  async write(names: readonly string[]): Promise<string> {
    const content = encodeNameList(names);
    const name = this.#count++;
    const failures: unknown[] = [];
    for (const parent of parentsIn(this.system)) {
      try {
        const path = `${await this.#directoryIn(parent)}/${name}`;
        await Deno.writeFile(path, content, { mode: 0o600 });
        return path;
      } catch (error) {
        failures.push(error);
      }
    }
    const cause = failures.at(-1);
    throw new CliError("file-system", `Cannot write a temporary file in $TMPDIR or /tmp: ${messageOf(cause)}`, {
      hint: "export TMPDIR=DIRECTORY, with a directory of this node that has room and that you can write",
      cause,
    });
  }

  async remove(path: string): Promise<void> {
    await Deno.remove(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const making of this.#directories.values()) {
      const directory = await making.catch(() => undefined);
      if (directory !== undefined) await removeInPlace(directory).catch(() => {});
    }
  }

  #directoryIn(parent: string): Promise<string> {
    const known = this.#directories.get(parent);
    if (known !== undefined) return known;
    const making = makeDirectory(parent);
    this.#directories.set(parent, making);
    return making;
  }
}

function parentsIn({ env }: Pick<System, "env">): readonly string[] {
  const own = env.TMPDIR?.startsWith("/") ? [env.TMPDIR.replace(/\/+$/, "")] : [];
  return [...new Set([...own, "/tmp"])];
}

/** Makes the directory and removes those that killed processes left. */
async function makeDirectory(parent: string): Promise<string> {
  if (!await isTrustedDirectory(parent, Deno.uid() ?? 0)) throw new Error(`other users can change "${parent}"`);
  await sweepDirectory(parent, [KIND]);
  const path = `${parent}/${temporaryName(KIND)}`;
  await Deno.mkdir(path, { mode: 0o700 });
  return path;
}
