// Python virtual environments on disk: how to recognize one, its properties, and the list of those under a base directory.
import { CliError, messageOf } from "../errors/errors.ts";
import { waitingCalls } from "../posix/calls.ts";
import { isUtf8Name } from "../posix/file_names.ts";
import { readNamesIfThere } from "../posix/read_names.ts";
import { kindsIn } from "../posix/small_file.ts";
import { run } from "../posix/work.ts";
import { readTextFileIfThere } from "../system/atomic_file.ts";
import { isMissingOrForbidden, realPathIfPresent } from "../system/existence.ts";

/** One virtual environment, as described by its `pyvenv.cfg` and its directories. */
export interface Venv {
  /** The last component of its path. */
  readonly name: string;
  /** Absolute, as it was given: links in it are kept. */
  readonly path: string;
  /** `3.11.5`. */
  readonly pythonVersion: string;
  /** `3.11`: the version that a wheel, a base image and `lib/python3.11` are made for. */
  readonly pythonSeries: string;
  readonly madeBy: "uv" | "virtualenv" | "venv";
  /** Made by `uv venv --relocatable`: its scripts find their own directory. */
  readonly relocatable: boolean;
  /** The directory of the Python it was made from, as `pyvenv.cfg` has it; empty if it says none. */
  readonly home: string;
  /** Whether it also imports what its base Python has (`include-system-site-packages`). */
  readonly systemSitePackages: boolean;
  /** Whether `bin/python` still leads to a program. */
  readonly interpreter: "present" | "missing";
}

/** The `key = value` lines of a `pyvenv.cfg`, keys in lower case (the site module reads them the same way). */
export function parsePyvenvCfg(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals < 0) continue;
    values.set(line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim());
  }
  return values;
}

/** `3.12.1` of `3.12.1.final.0`, `3.11` of `3.11`; undefined for a text that is not a version. */
export function parsePythonVersion(text: string): string | undefined {
  return /^(\d+\.\d+(?:\.\d+)?)(?:[.a-z+-].*)?$/.exec(text.trim())?.[1];
}

/** `3.11` of `3.11.5`. */
export function seriesOf(pythonVersion: string): string {
  return pythonVersion.split(".").slice(0, 2).join(".");
}

/**
 * The environment at `path`, or undefined if there is none: a directory with a `pyvenv.cfg`, a `bin` and a Python version
 * in the file or in the name of `lib/pythonX.Y`.
 */
export async function readVenv(path: string): Promise<Venv | undefined> {
  const text = await readTextFileIfThere(`${path}/pyvenv.cfg`).catch((error) => {
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  // Rethrow errors such as EIO: treating them as "no environment" would make a move skip this one.
  const bin = await Deno.stat(`${path}/bin`).catch((error) => {
    if (!isMissingOrForbidden(error)) throw error;
  });
  if (bin?.isDirectory !== true) return undefined;
  const values = parsePyvenvCfg(text);
  const version = parsePythonVersion(values.get("version_info") ?? values.get("version") ?? "") ??
    await versionFromLibrary(path);
  if (version === undefined) return undefined;
  const interpreter = await Deno.stat(`${path}/bin/python`).then((info) => info.isFile, () => false);
  return {
    name: path.replace(/\/+$/, "").split("/").at(-1) ?? path,
    path,
    pythonVersion: version,
    pythonSeries: seriesOf(version),
    madeBy: values.has("uv") ? "uv" : values.has("virtualenv") ? "virtualenv" : "venv",
    relocatable: values.get("relocatable") === "true",
    home: values.get("home") ?? "",
    systemSitePackages: values.get("include-system-site-packages")?.toLowerCase() === "true",
    interpreter: interpreter ? "present" : "missing",
  };
}

/**
 * Throws a CliError `tool` if an environment that uv has just made lacks its `pyvenv.cfg`: on a full disk uv leaves it empty
 * and ends with 0 (uv 0.13), and Python then takes the environment for the Python that it was made from.
 */
export async function refuseHalfMade(path: string): Promise<void> {
  const values = parsePyvenvCfg(await readTextFileIfThere(`${path}/pyvenv.cfg`) ?? "");
  if (values.get("home")) return;
  throw new CliError("tool", `uv made "${path}" without a usable pyvenv.cfg`, {
    hint: "is the disk or your quota full? Run the command again when there is space",
  });
}

async function versionFromLibrary(path: string): Promise<string | undefined> {
  // Without a library directory the version is unknown.
  const names = await run(kindsIn(waitingCalls(), `${path}/lib`));
  return [...names.keys()].map((name) => /^python(\d+\.\d+)t?$/.exec(name)?.[1]).find((version) =>
    version !== undefined
  );
}

/** The environments directly under `base`, by name; links to environments count, names with a leading dot don't. */
export async function listVenvs(base: string): Promise<Venv[]> {
  const kinds = await readNamesIfThere(base).catch((error) => {
    throw new CliError("file-system", `Cannot read the venv directory "${base}": ${messageOf(error)}`, {
      cause: error,
    });
  });
  if (kinds === undefined) return [];
  const names = [...kinds].filter(([name, kind]) => kind !== "f" && !name.startsWith(".") && isUtf8Name(name))
    .map(([name]) => name);
  const venvs = await Promise.all(names.sort().map((name) => readVenv(`${base}/${name}`)));
  return venvs.filter((venv) => venv !== undefined);
}

/** The site-packages directories of an environment, each only once, because `lib64` is often a link to `lib`. */
export async function sitePackages(venv: Pick<Venv, "path">): Promise<string[]> {
  const found = new Map<string, string>();
  for (const library of ["lib", "lib64"]) {
    // virtualenv makes no lib64.
    const names = (await run(kindsIn(waitingCalls(), `${venv.path}/${library}`))).keys();
    for (const name of names) {
      if (!/^(python|pypy)\d+\.\d+t?$/.test(name)) continue;
      const path = `${venv.path}/${library}/${name}/site-packages`;
      const real = await realPathIfPresent(path);
      if (real !== undefined && !found.has(real)) found.set(real, path);
    }
  }
  return [...found.values()];
}
