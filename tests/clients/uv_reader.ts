// The real uv as a reader of its cache: it installs offline, and the installed files are compared with the package's
// own list.
import { UV } from "../support/uv.ts";
import { moveFiles, moveNames } from "./move_names.ts";

/** What to install from which cache. */
export interface Installation {
  readonly cache: string;
  /** The index whose answers are in the cache; no request is sent to it. */
  readonly index: string;
  readonly packages: readonly string[];
  /** A directory that does not exist yet. */
  readonly target: string;
}

/** Installs, and says what is wrong; the versions that were installed are added to `versions`. */
export function findFaultsOfInstall(
  { cache, index, packages, target }: Installation,
  versions: Set<string> = new Set(),
): string[] {
  const { success, stderr } = new Deno.Command(UV!, {
    args: [
      "pip",
      "install",
      "--offline",
      "--quiet",
      "--python",
      "/usr/bin/python3",
      "--index-url",
      index,
      "--target",
      target,
    ]
      .concat("--link-mode", "copy", packages),
    env: { UV_CACHE_DIR: cache, UV_PYTHON_DOWNLOADS: "never", UV_NO_CONFIG: "1" },
    stdin: "null",
  }).outputSync();
  if (!success) return [new TextDecoder().decode(stderr).trim()];
  const lacks: string[] = [];
  const found = [...Deno.readDirSync(target)].map(({ name }) => name).filter((name) => name.endsWith(".dist-info"));
  if (found.length < packages.length) lacks.push(`installed only ${found.join(", ")}`);
  for (const name of found) {
    versions.add(name.replace(".dist-info", ""));
    const record = Deno.readTextFileSync(`${target}/${name}/RECORD`);
    for (const line of record.trim().split("\n")) {
      const [path, , size] = line.split(",");
      const there = sizeOf(`${target}/${path}`);
      if (there === undefined || (size !== "" && there !== Number(size))) lacks.push(`${name} lacks ${path}`);
    }
  }
  Deno.removeSync(target, { recursive: true });
  return lacks;
}

/**
 * Adds packages to a cache: uv fills an empty one, whose files are moved, the answers of the index last. uv itself
 * writes those before it has a package.
 */
export async function fillUvCache({ cache, index, packages, target }: Installation): Promise<void> {
  const filled = `${target}-cache`;
  const { success, stderr } = await new Deno.Command(UV!, {
    args: [
      "pip",
      "install",
      "--quiet",
      "--refresh",
      "--python",
      "/usr/bin/python3",
      "--index-url",
      index,
      "--target",
      target,
    ]
      .concat(packages),
    env: { UV_CACHE_DIR: filled, UV_PYTHON_DOWNLOADS: "never", UV_NO_CONFIG: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const names = await Array.fromAsync(Deno.readDir(filled));
  const buckets = names.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  await Deno.mkdir(cache, { recursive: true });
  // uv makes these files if they are missing, also when it only reads.
  for (const name of ["CACHEDIR.TAG", ".gitignore"]) {
    if (sizeOf(`${cache}/${name}`) === undefined) await Deno.rename(`${filled}/${name}`, `${cache}/${name}`);
  }
  const rank = (name: string) => ["archive", "wheels", "simple"].findIndex((start) => name.startsWith(start));
  for (const name of buckets.toSorted((one, other) => rank(one) - rank(other))) {
    if (name.startsWith("archive")) await moveNames(`${filled}/${name}`, `${cache}/${name}`);
    else await moveFiles(`${filled}/${name}`, `${cache}/${name}`);
  }
  await Deno.remove(filled, { recursive: true });
  await Deno.remove(target, { recursive: true });
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
