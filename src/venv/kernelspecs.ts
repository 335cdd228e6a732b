// Jupyter's kernels in the user's home start the Python of an environment by its path, so they don't move with it.
import { waitingCalls } from "../posix/calls.ts";
import { readSmallFile } from "../posix/small_file.ts";
import { run } from "../posix/work.ts";
import { shellWord } from "../text/format.ts";
import { kindsOf } from "./data_files.ts";

/** A kernel that names a directory. */
export interface Kernelspec {
  readonly name: string;
  /** Its `kernel.json`. */
  readonly file: string;
  readonly displayName: string | undefined;
}

const LARGEST_BYTES = 1024 * 1024;

/** The kernels of this user that name one of the paths, or a file below it (`jupyter --paths` lists the directories). */
async function findKernelspecs(
  paths: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Kernelspec[]> {
  const home = env.HOME;
  const directories = new Set([
    ...(env.JUPYTER_DATA_DIR ? [`${env.JUPYTER_DATA_DIR}/kernels`] : []),
    ...(env.XDG_DATA_HOME ? [`${env.XDG_DATA_HOME}/jupyter/kernels`] : []),
    ...(home ? [`${home}/.local/share/jupyter/kernels`, `${home}/.ipython/kernels`] : []),
  ]);
  const found: Kernelspec[] = [];
  for (const directory of directories) {
    // They are only named in warnings, after the work.
    const kinds = await kindsOf(directory).catch(() => new Map<string, never>());
    for (const name of kinds.keys()) {
      const file = `${directory}/${name}/kernel.json`;
      const read = await run(readSmallFile(waitingCalls(), file, LARGEST_BYTES)).catch(() => undefined);
      const text = new TextDecoder().decode(read?.content ?? new Uint8Array());
      if (!paths.some((path) => text.includes(`"${path}/`) || text.includes(`:${path}/`))) continue;
      found.push({ name, file, displayName: /"display_name"\s*:\s*"([^"\\]*)"/.exec(text)?.[1] });
    }
  }
  return found;
}

/** A warning about each kernel of an environment that moved from one of `from` to `to`. */
export async function kernelspecWarnings(
  from: readonly string[],
  to: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly text: string; readonly hint: string }[]> {
  return (await findKernelspecs(from, env)).map(({ name, file, displayName }) => ({
    text: `the Jupyter kernel "${name}" starts the Python at the old path (${file})`,
    hint: `${shellWord(`${to}/bin/python`)} -m ipykernel install --user --name ${shellWord(name)}` +
      (displayName === undefined ? "" : ` --display-name ${shellWord(displayName)}`),
  }));
}
