// The programs of an environment: what is executable in its `bin`.
import { readNamesOrNone } from "../posix/read_names.ts";

/** Whether a file in `bin` counts: scripts that a shell reads are executable too in some environments. Pure. */
export function isProgramName(name: string): boolean {
  // deno-lint-ignore no-control-regex -- a name with a line break can't be told from two names
  return name !== "" && !/^\.|^(de)?activate|[\x00-\x1f\x7f]/i.test(name);
}

/** The names of the programs, sorted; none if there is no `bin`. */
export async function programsOf(root: string): Promise<string[]> {
  const names = [...(await readNamesOrNone(`${root}/bin`)).keys()].filter(isProgramName);
  const found = await Promise.all(names.map(async (name) => {
    const info = await Deno.stat(`${root}/bin/${name}`).catch(() => undefined);
    // The Python that the environment was made from may be gone, and its image has another.
    const counts = info === undefined ? /^python[\d.]*t?$/.test(name) : info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
    return counts ? [name] : [];
  }));
  return found.flat().sort();
}
