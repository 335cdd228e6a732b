// Prefixes of conda, mamba, micromamba and pixi: recognized by their `conda-meta`, and what is installed in them. They can be packed;
// what else is done with environments is for those of Python (`pyvenv.cfg`).
import { readTextFileIfExists } from "../system/atomic_file.ts";
import { isDirectory, pathExists } from "../system/existence.ts";
import { type InstalledPackage, readPackages } from "./packages.ts";
import { readVenv, seriesOf, type Venv } from "./venv.ts";
import { readNamesOrNone } from "../posix/read_names.ts";

/** What can be packed. */
export type Environment = Omit<Venv, "madeBy"> & { readonly madeBy: Venv["madeBy"] | "conda" };

/** The environment or conda prefix at a path; undefined if there is none, or a prefix without Python. */
export async function readEnvironment(path: string): Promise<Environment | undefined> {
  const venv = await readVenv(path);
  if (venv !== undefined) return venv;
  const python = (await readCondaPackages(path)).find(({ name }) => name === "python");
  if (python === undefined) return undefined;
  return {
    name: path.replace(/\/+$/, "").split("/").at(-1) ?? path,
    path,
    pythonVersion: python.version,
    pythonSeries: seriesOf(python.version),
    madeBy: "conda",
    relocatable: false,
    home: "",
    systemSitePackages: false,
    interpreter: await pathExists(`${path}/bin/python`) ? "present" : "missing",
  };
}

/** The prefix that a path means: itself, or the default environment of the pixi project there. */
export async function findPrefix(path: string): Promise<string> {
  const pixi = `${path}/.pixi/envs/default`;
  return !await isDirectory(`${path}/conda-meta`) && await isDirectory(`${pixi}/conda-meta`) ? pixi : path;
}

/** Everything that is installed in an environment; in a conda prefix also what pip installed. */
export async function readAllPackages(environment: Environment): Promise<InstalledPackage[]> {
  const packages = await readPackages(environment);
  if (environment.madeBy !== "conda") return packages;
  const fromConda = await readCondaPackages(environment.path);
  return [...fromConda, ...packages.filter(({ installer }) => installer !== "conda")];
}

interface CondaRecord {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly build?: unknown;
  readonly url?: unknown;
  readonly md5?: unknown;
}

/** The packages by the files in `conda-meta`, one for each. */
async function readCondaPackages(path: string): Promise<InstalledPackage[]> {
  const directory = `${path}/conda-meta`;
  const names = [...(await readNamesOrNone(directory)).keys()].filter((name) => name.endsWith(".json")).sort();
  const packages = await Promise.all(names.map((name) => readRecord(`${directory}/${name}`)));
  return packages.filter((one) => one !== undefined);
}

async function readRecord(path: string): Promise<InstalledPackage | undefined> {
  try {
    const { name, version, build, url, md5 } = JSON.parse(await readTextFileIfExists(path) ?? "{}") as CondaRecord;
    if (typeof name !== "string" || typeof version !== "string") return undefined;
    const hash = typeof md5 === "string" ? md5 : "";
    return {
      ...{ name, version, requested: false, editable: false },
      contentHash: `${String(build ?? "")} ${hash}`,
      ...(typeof url === "string" ? { condaFile: hash === "" ? url : `${url}#${hash}` } : {}),
    };
  } catch {
    return undefined;
  }
}
