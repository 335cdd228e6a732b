// What a rebuild takes from its source: the package list, and the Python that it was made from.
import type { System } from "../system/system.ts";
import { freezePackages, type Uv } from "../tools/uv.ts";
import { readPackages } from "./packages.ts";
import type { Venv } from "./venv.ts";

/** The frozen list of the packages that are in the environment itself: uv also lists those of a base Python that it can see. */
export async function freezeOwnPackages(
  venv: Venv,
  { uv, env }: { readonly uv: Uv; readonly env: Readonly<Record<string, string>> },
  system: System,
): Promise<readonly string[]> {
  const requirements = await freezePackages(uv.program, venv.path, env, system);
  if (!venv.systemSitePackages) return requirements;
  const normalized = (name: string) => name.toLowerCase().replace(/[-_.]+/g, "-");
  const own = new Set((await readPackages(venv)).map(({ name }) => normalized(name)));
  return requirements.filter((line) => {
    const name = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==|@|$)/.exec(line)?.[1];
    return name === undefined || own.has(normalized(name));
  });
}

/** The Python that an environment was made from, if it still exists: uv needs no network for it. A version may mean a download. */
export async function basePythons({ home, pythonSeries }: Venv): Promise<string[]> {
  for (const name of [`python${pythonSeries}`, "python3"]) {
    const path = `${home}/${name}`;
    if (path.startsWith("/") && await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return [path];
  }
  return [];
}
