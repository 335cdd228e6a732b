// `venv install`: plans the commands of uv for a request, and runs them.
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import type { Listener } from "../tools/streaming.ts";
import { ENOENT, ENOTDIR, SystemCallError } from "../posix/errno.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { readNames } from "../posix/read_names.ts";
import { runUv, type Uv, uvExportArgs, uvInstallArgs, uvVenvArgs } from "../tools/uv.ts";
import { sortRequirementFiles } from "./requirement_files.ts";
import { deviceOf } from "./device.ts";
import { parsePythonVersion, readVenv, refuseHalfMade, type Venv } from "./venv.ts";
import { type WheelIndex, wheelIndexFor } from "./wheel_index.ts";
import { nameExists } from "../system/existence.ts";

/** What to install, and into which environment. */
export interface InstallRequest {
  readonly venvPath: string;
  readonly packages: readonly string[];
  readonly requirementFiles: readonly string[];
  /** Directories of projects that are installed as links to them. */
  readonly editables?: readonly string[];
  /** The file to which a uv.lock is exported; its directory is made and removed. */
  readonly exportFile?: string;
  readonly python: string | undefined;
  readonly indexUrl: string | undefined;
  readonly extraIndexUrls: readonly string[];
  readonly upgrade: boolean;
  /** uv's cache, absolute; uv's own choice if undefined. */
  readonly uvCacheDir: string | undefined;
  /** Directories on scratch, if they are known. */
  readonly scratch?: readonly string[];
}

/** What exists at the environment's path. */
export type TargetState =
  | { readonly kind: "nothing"; readonly systemSitePackages?: boolean }
  /** Left by a `uv venv` that was killed: it contains only files that uv makes itself. */
  | { readonly kind: "remains" }
  | { readonly kind: "venv"; readonly venv: Venv }
  | { readonly kind: "other" };

/** The commands to run. */
export interface InstallPlan {
  readonly venvPath: string;
  /** Whether the environment is new. */
  readonly created: boolean;
  /** What becomes of it if a command fails. */
  readonly onFailure: "remove" | "keep";
  /** A directory that exists while the commands run. */
  readonly temporary: string | undefined;
  /** Arguments of uv for each command. */
  readonly commands: readonly (readonly string[])[];
  /** Directories on scratch, if they are known. */
  readonly scratch: readonly string[];
  /** Changes to uv's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly wheelIndex: WheelIndex | undefined;
  /** All indexes besides the first, the PyTorch one included. */
  readonly extraIndexUrls: readonly string[];
  readonly torchBackend: string | undefined;
}

const REMAINS = new Set(["bin", "lib", "lib64", "include", ".gitignore", ".lock", "CACHEDIR.TAG"]);

const NOTHING = { packages: [], lists: [], editables: [] };

/** Examines the environment's path. */
export async function observeTarget(path: string): Promise<TargetState> {
  const venv = await readVenv(path);
  if (venv !== undefined) return venv.home === "" ? { kind: "remains" } : { kind: "venv", venv };
  try {
    const names = [...(await readNames(path)).keys()];
    if (names.length === 0) return { kind: "remains" };
    return { kind: names.every((name) => REMAINS.has(name) || name === "pyvenv.cfg") ? "remains" : "other" };
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.errno === ENOENT) return { kind: "nothing" };
    if (error.errno === ENOTDIR) return { kind: "other" };
    throw error;
  }
}

/**
 * Decides what to run. `requirements` are all requested ones, including those in files. Pure. Throws CliErrors: `usage` for
 * incompatible wheels or a Python that the environment doesn't have, `refused` if the path is something else.
 */
export function planInstall(
  request: InstallRequest,
  state: TargetState,
  requirements: readonly string[],
  torchBackends: ReadonlySet<string>,
): InstallPlan {
  const path = request.venvPath;
  if (state.kind === "other") {
    throw new CliError("refused", `Cannot install into "${path}": it already exists and is not a Python environment`, {
      hint: "choose another name, or move it away",
    });
  }
  if (state.kind === "venv") checkPython(state.venv, request.python);
  const files = sortRequirementFiles(request.requirementFiles);
  const wheelIndex = wheelIndexFor(requirements);
  const backed = wheelIndex !== undefined && torchBackends.has(wheelIndex.accelerator);
  const given = [...new Set(request.extraIndexUrls)];
  const listed = wheelIndex === undefined || given.includes(wheelIndex.url) ? given : [...given, wheelIndex.url];
  const create = state.kind === "venv" ? [] : [uvVenvArgs({
    ...{ path, python: request.python, project: files.project, onto: state.kind === "remains" ? "remains" : "nothing" },
    systemSitePackages: state.kind === "nothing" && state.systemSitePackages === true,
  })];
  const exported = files.uvLock === undefined ? undefined : request.exportFile;
  const at = exported === undefined ? -1 : request.packages.findIndex((word) => word.startsWith("-"));
  const [packages, lockOptions] = at < 0
    ? [request.packages, []]
    : [request.packages.slice(0, at), request.packages.slice(at)];
  const { editables = [] } = request;
  const steps = [
    ...[...(exported === undefined ? [] : [exported]), ...files.pylocks].map((lock) => ({ ...NOTHING, lists: [lock] })),
    ...(packages.length + files.lists.length + editables.length === 0
      ? []
      : [{ packages, lists: files.lists, editables }]),
  ];
  const install = steps.map(({ packages, lists, editables }) =>
    uvInstallArgs({
      ...request,
      packages,
      requirementFiles: lists,
      editables,
      // uv takes every package that an extra index has from it, numpy and others too; a backend applies to PyTorch only.
      extraIndexUrls: backed ? given : listed,
      torchBackend: backed ? wheelIndex.accelerator : undefined,
    })
  );
  const lock = exported === undefined
    ? []
    : [uvExportArgs({ project: files.project!, file: exported, options: lockOptions })];
  return {
    venvPath: path,
    scratch: request.scratch ?? [],
    created: state.kind !== "venv",
    onFailure: state.kind === "nothing" ? "remove" : "keep",
    // First the lock: one that is out of date fails before anything is made.
    commands: [...lock, ...create, ...install],
    temporary: exported === undefined ? undefined : splitAbsolute(exported)[0],
    env: request.uvCacheDir === undefined ? {} : { UV_CACHE_DIR: request.uvCacheDir },
    wheelIndex,
    extraIndexUrls: listed,
    torchBackend: backed ? wheelIndex.accelerator : undefined,
  };
}

function checkPython(venv: Venv, wanted: string | undefined): void {
  if (wanted === undefined) return;
  const version = parsePythonVersion(wanted.replace(/^(cpython|python)@?/i, ""));
  if (version === undefined || version === venv.pythonVersion || venv.pythonVersion.startsWith(`${version}.`)) return;
  throw new CliError(
    "usage",
    `Cannot give "${venv.name}" Python ${wanted}: it was made with Python ${venv.pythonVersion}`,
    {
      hint: `leave --python out to use it as it is, or start again after \`euler-files venv remove ${venv.name}\``,
    },
  );
}

/** Runs the plan. Throws a CliError `tool` with uv's last lines if uv fails. */
export async function install(
  plan: InstallPlan,
  uv: Uv,
  audience: { readonly listener: Listener; readonly report: Report },
  system: System,
): Promise<void> {
  const linkMode = await linkModeFor(plan, audience.report, system);
  try {
    if (plan.temporary !== undefined) await Deno.mkdir(plan.temporary, { mode: 0o700 });
    for (const args of plan.commands) {
      await runUv(uv.program, args, { ...plan.env, ...linkMode }, audience.listener, system);
      // The export of a lock comes before there is an environment.
      if (plan.created && args[0] !== "export") await refuseHalfMade(plan.venvPath);
    }
  } catch (error) {
    // An environment without its packages would be taken for one that was installed.
    if (plan.onFailure === "remove" && await nameExists(plan.venvPath)) await removeTree(plan.venvPath);
    throw error;
  } finally {
    if (plan.temporary !== undefined && await nameExists(plan.temporary)) await removeTree(plan.temporary);
  }
}

/** uv links files from its cache; across file systems it can't, and warns in every run. We warn once, with the remedy. */
async function linkModeFor(plan: InstallPlan, report: Report, system: System): Promise<Record<string, string>> {
  const { env } = system;
  const cache = plan.env.UV_CACHE_DIR ?? env.UV_CACHE_DIR ?? `${env.XDG_CACHE_HOME ?? `${env.HOME}/.cache`}/uv`;
  const scratch = plan.scratch.find((directory) => cache === directory || cache.startsWith(`${directory}/`));
  if (env.UV_LINK_MODE === "symlink" && scratch !== undefined && !plan.venvPath.startsWith(`${scratch}/`)) {
    const text = `uv's cache "${cache}" is on scratch, which is purged, so its files are copied instead of linked`;
    report({ type: "note", text });
    return { UV_LINK_MODE: "copy" };
  }
  if (env.UV_LINK_MODE) return {};
  const [cacheDevice, venvDevice] = await Promise.all([deviceOf(cache), deviceOf(plan.venvPath)]);
  if (cacheDevice === venvDevice) return {};
  report({
    type: "note",
    text:
      `uv's cache "${cache}" is on another file system than the environment, so files are copied instead of linked; ` +
      "a --uv-cache-dir beside the environments saves time and space",
  });
  return { UV_LINK_MODE: "copy" };
}
