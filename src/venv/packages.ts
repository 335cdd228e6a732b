// The packages installed in an environment, read from its metadata without starting Python, and one hash of them all.
import { splitAbsolute } from "../posix/file_names.ts";
import { createHash } from "node:crypto";
import { readTextFileIfThere } from "../system/atomic_file.ts";
import { sitePackages, type Venv } from "./venv.ts";

/** One installed distribution. */
export interface InstalledPackage {
  /** As its metadata directory spells it: `typing_extensions`. */
  readonly name: string;
  readonly version: string;
  /** Requested by name, not only needed by another (PEP 376, REQUESTED). */
  readonly requested: boolean;
  /** Its origin if not an index (PEP 610): a URL, `file:` for local ones. */
  readonly directUrl?: string;
  /** Installed as a link to a source tree outside the environment. */
  readonly editable: boolean;
  /** Changes whenever the installed files do, but not when the environment moves. */
  readonly contentHash: string;
}

/** The distributions of an environment by name. Reads metadata only: a few small files for each. */
export async function readPackages(venv: Pick<Venv, "path">): Promise<InstalledPackage[]> {
  const directories: string[] = [];
  for (const site of await sitePackages(venv)) {
    for await (const entry of Deno.readDir(site)) {
      if (/\.(dist|egg)-info$/.test(entry.name)) directories.push(`${site}/${entry.name}`);
    }
  }
  const packages = await Promise.all(directories.map(readPackage));
  return packages.filter((one) => one !== undefined).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

async function readPackage(directory: string): Promise<InstalledPackage | undefined> {
  const base = splitAbsolute(directory)[1];
  // The name of an egg-info has the Python version after its own version.
  const match = /^(.+?)-([^-]+?)(-py\d[\d.]*)?\.(dist|egg)-info$/.exec(base);
  const [name, version] = [match?.[1], match?.[2]];
  // While it removes a package, pip renames its metadata to ~ame.dist-info.
  if (name === undefined || version === undefined || name.startsWith("~")) return undefined;
  const [record, direct, requested] = await Promise.all([
    readOwn(`${directory}/RECORD`),
    readOwn(`${directory}/direct_url.json`),
    Deno.lstat(`${directory}/REQUESTED`).then(() => true, () => false),
  ]);
  const origin = parseDirectUrl(direct);
  return {
    name,
    version,
    requested,
    editable: origin.editable,
    ...(origin.url === undefined ? {} : { directUrl: origin.url }),
    contentHash: hashRecord(record ?? ""),
  };
}

async function readOwn(path: string): Promise<string | undefined> {
  return await readTextFileIfThere(path).catch(() => undefined);
}

function hashRecord(record: string): string {
  // Scripts outside site-packages contain the environment's path, so their hashes differ from path to path.
  const lines = record.split("\n").filter((line) => line !== "" && !line.startsWith("../"));
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex").slice(0, 16);
}

function parseDirectUrl(text: string | undefined): { url?: string; editable: boolean } {
  try {
    const value = JSON.parse(text ?? "{}") as { url?: unknown; dir_info?: { editable?: unknown } };
    return {
      editable: value.dir_info?.editable === true,
      ...(typeof value.url === "string" ? { url: value.url } : {}),
    };
  } catch {
    return { editable: false };
  }
}

/** One hash for Python and packages of an environment: the same packages give the same hash, in any order. */
export function hashPackages(pythonVersion: string, packages: readonly InstalledPackage[]): string {
  const lines = packages.map((one) => [one.name, one.version, one.contentHash, one.directUrl ?? ""].join(" "));
  return createHash("sha256").update([pythonVersion, ...lines.sort()].join("\n")).digest("hex");
}
