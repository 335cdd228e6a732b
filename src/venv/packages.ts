// The packages installed in an environment, read from its metadata without starting Python, and one hash of them all.
import { splitAbsolute } from "../posix/file_names.ts";
import { readNames } from "../posix/read_names.ts";
import { createHash } from "node:crypto";
import { readTextFileIfExists } from "../system/atomic_file.ts";
import { sitePackages, type Venv } from "./venv.ts";
import { nameExists } from "../system/existence.ts";

/** One installed distribution. */
export interface InstalledPackage {
  /** As its metadata directory spells it: `typing_extensions`. */
  readonly name: string;
  readonly version: string;
  /** Requested by name, not only needed by another (PEP 376, REQUESTED). */
  readonly requested: boolean;
  /** Its origin if not an index (PEP 610): a URL, `file:` for local ones. */
  readonly directUrl?: string;
  /** The same as a requirement names it, with the commit or checksum that was installed. */
  readonly reference?: string;
  /** The address of a conda package, with its checksum. */
  readonly condaFile?: string;
  /** The program that installed it, by its own word (PEP 376, INSTALLER). */
  readonly installer?: string;
  /** Installed as a link to a source tree outside the environment. */
  readonly editable: boolean;
  /** Changes whenever the installed files do, but not when the environment moves. */
  readonly contentHash: string;
}

/** The distributions of an environment by name. Reads metadata only: a few small files for each. */
export async function readPackages(venv: Pick<Venv, "path">): Promise<InstalledPackage[]> {
  const directories: string[] = [];
  for (const site of await sitePackages(venv)) {
    for (const name of (await readNames(site)).keys()) {
      if (/\.(dist|egg)-info$/.test(name)) directories.push(`${site}/${name}`);
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
  const [record, direct, requested, installer] = await Promise.all([
    readOwn(`${directory}/RECORD`),
    readOwn(`${directory}/direct_url.json`),
    nameExists(`${directory}/REQUESTED`),
    readOwn(`${directory}/INSTALLER`),
  ]);
  const origin = parseDirectUrl(direct);
  return {
    name,
    version,
    requested,
    editable: origin.editable,
    ...(origin.url === undefined ? {} : { directUrl: origin.url, reference: origin.reference ?? origin.url }),
    ...(installer === undefined ? {} : { installer: installer.trim() }),
    contentHash: hashRecord(record ?? ""),
  };
}

async function readOwn(path: string): Promise<string | undefined> {
  return await readTextFileIfExists(path).catch(() => undefined);
}

function hashRecord(record: string): string {
  // Scripts outside site-packages contain the environment's path, so their hashes differ from path to path.
  const lines = record.split("\n").filter((line) => line !== "" && !line.startsWith("../"));
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex").slice(0, 16);
}

interface DirectUrl {
  readonly url?: unknown;
  readonly subdirectory?: string;
  readonly dir_info?: { readonly editable?: unknown };
  readonly vcs_info?: { readonly vcs?: string; readonly commit_id?: string };
  readonly archive_info?: { readonly hashes?: Readonly<Record<string, string>>; readonly hash?: string };
}

function parseDirectUrl(text: string | undefined): { url?: string; reference?: string; editable: boolean } {
  try {
    const value = JSON.parse(text ?? "{}") as DirectUrl;
    const editable = value.dir_info?.editable === true;
    return typeof value.url === "string"
      ? { editable, url: value.url, reference: referenceOf(value.url, value) }
      : { editable };
  } catch {
    return { editable: false };
  }
}

function referenceOf(url: string, { vcs_info, archive_info, subdirectory }: DirectUrl): string {
  const { vcs, commit_id } = vcs_info ?? {};
  const from = vcs === undefined ? url : `${vcs}+${url}${commit_id === undefined ? "" : `@${commit_id}`}`;
  const sha256 = archive_info?.hashes?.sha256 ?? /^sha256=(\w+)$/.exec(archive_info?.hash ?? "")?.[1];
  const parts = [
    ...(subdirectory === undefined ? [] : [`subdirectory=${subdirectory}`]),
    ...(sha256 === undefined ? [] : [`sha256=${sha256}`]),
  ];
  return parts.length === 0 ? from : `${from}#${parts.join("&")}`;
}

/** One hash for Python and packages of an environment: the same packages give the same hash, in any order. */
export function hashPackages(pythonVersion: string, packages: readonly InstalledPackage[]): string {
  const lines = packages.map((one) => [one.name, one.version, one.contentHash, one.directUrl ?? ""].join(" "));
  return createHash("sha256").update([pythonVersion, ...lines.sort()].join("\n")).digest("hex");
}
