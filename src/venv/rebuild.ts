// Reinstalls an environment at another path: freezes its package list, installs it there, compares the lists, and then gives
// it its name. An environment at the target stays until the new one is known to be right.
import { splitAbsolute } from "../posix/file_names.ts";
import { unlinkPath } from "../posix/make_file.ts";
import { readNames } from "../posix/read_names.ts";
import { type AbsolutePath, reallyOverlap } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { removeTree } from "../system/remove_tree.ts";
import { underLocks } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import type { Listener } from "../tools/streaming.ts";
import type { FileStatus } from "../posix/status.ts";
import { runUv, type Uv, uvVenvArgs } from "../tools/uv.ts";
import { lockVenv } from "./base.ts";
import { type Carriage, carryOwnFiles, planCarriage } from "./carry.ts";
import { deviceOf } from "./device.ts";
import { planInstall } from "./install.ts";
import { findOwnFiles, hasOwnFiles, type OwnFiles } from "./own_files.ts";
import { ownFilesError } from "./own_files_text.ts";
import { basePythons, freezeOwnPackages } from "./rebuild_source.ts";
import { applyRelocation, planRelocation } from "./relocate.ts";
import { readVenv, refuseHalfMade, type Venv } from "./venv.ts";
import { lstatIfPresent, nameExists } from "../system/existence.ts";

/** The environment to reinstall, and its new path. */
export interface RebuildRequest {
  readonly source: AbsolutePath;
  readonly target: AbsolutePath;
  readonly python: string | undefined;
  readonly uvCacheDir: string | undefined;
  readonly indexUrl: string | undefined;
  readonly extraIndexUrls: readonly string[];
  readonly verify: boolean;
  readonly existing: "refuse" | "overwrite";
  /** Whether uv's cache may be on another file system than the target, so that files are copied. */
  readonly acrossFileSystems: "refuse" | "copy";
  /** Whether a replaced environment, and a source that is deleted, may have files that no package brought. */
  readonly ownFiles: "keep" | "delete";
  /** The command that replaces an environment with such files. */
  readonly replacingCommand: string;
  readonly mode: "run" | "dry-run";
  readonly lockTimeoutSeconds: number;
}

/** What will be done, decided beforehand. */
export interface RebuildPlan {
  readonly source: Venv;
  readonly target: AbsolutePath;
  readonly requirements: readonly string[];
  /** Tried one after the other. */
  readonly pythons: readonly string[];
  /** uv's arguments, with the first Python. */
  readonly commands: readonly (readonly string[])[];
  readonly env: Readonly<Record<string, string>>;
  readonly editable: readonly string[];
  /** Files of the source that no package brought, and what becomes of each. */
  readonly own: OwnFiles;
  readonly carriage: Carriage;
  /** Such files of the environment that is replaced. */
  readonly replaced: OwnFiles | undefined;
  /** `made already`: the target is an environment with the same packages, for example that of a run which was killed later. */
  readonly targetState: TargetState;
}

/** What a rebuild has made. */
export interface Rebuilt {
  readonly python: string;
  readonly parity: Parity;
  /** The files of the source that no package brought and that the target has, too, with their status at the source. */
  readonly safe: ReadonlyMap<string, FileStatus>;
}

type TargetState = "free" | "to be replaced" | "made already";

/** How the two package lists compare. */
export interface Parity {
  readonly status: "matched" | "mismatch" | "skipped" | "planned";
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}

/** Examines both paths and decides; runs only `uv pip freeze`. Throws CliErrors for what is impossible or not allowed. */
export async function planRebuild(request: RebuildRequest, uv: Uv, system: System): Promise<RebuildPlan> {
  const { source: sourcePath, target } = request;
  const source = await readVenv(sourcePath);
  if (source === undefined) {
    throw new CliError("not-found", `Cannot find an environment at "${sourcePath}"`, {
      hint: "`euler-files venv list` lists those that exist",
    });
  }
  if (await reallyOverlap(sourcePath, target)) {
    throw new CliError(
      "usage",
      `Cannot make "${target}" from "${sourcePath}": they are the same place, or one is inside the other`,
    );
  }
  await checkFileSystems(request, system);
  const env = request.uvCacheDir === undefined ? {} : { UV_CACHE_DIR: request.uvCacheDir };
  const { targetState, requirements } = await lookAtTarget(request, source, { uv, env }, system);
  const replaced = targetState === "to be replaced" ? await findOwnFiles(target, system) : undefined;
  if (replaced !== undefined && request.mode === "run") refuseReplacing(request, replaced);
  const pythons = request.python === undefined
    ? [...await basePythons(source), source.pythonVersion, source.pythonSeries]
    : [request.python];
  const plan = planInstall(
    {
      venvPath: target,
      packages: [],
      requirementFiles: requirements.length === 0 ? [] : [requirementsFile(target)],
      python: pythons[0],
      indexUrl: request.indexUrl,
      extraIndexUrls: request.extraIndexUrls,
      upgrade: false,
      uvCacheDir: request.uvCacheDir,
    },
    { kind: "nothing", systemSitePackages: source.systemSitePackages },
    requirements,
    uv.torchBackends,
  );
  const editable = requirements.filter((line) => line.startsWith("-e ") || line.startsWith("--editable"));
  const own = await findOwnFiles(sourcePath, system);
  const carriage = planCarriage(own, request.python === undefined ? "same" : "another");
  const commands = plan.commands;
  return { source, target, requirements, pythons, commands, env, editable, own, carriage, replaced, targetState };
}

/** Whether a run refuses to replace an environment with these files. */
export function isReplacingRefused({ ownFiles }: Pick<RebuildRequest, "ownFiles">, own: OwnFiles): boolean {
  return ownFiles === "keep" && hasOwnFiles(own);
}

function refuseReplacing(request: RebuildRequest, own: OwnFiles): void {
  const { target, replacingCommand } = request;
  if (!isReplacingRefused(request, own)) return;
  throw ownFilesError(`Cannot replace "${target}"`, own, replacingCommand);
}

/** What is at the target, and the packages of the source. Throws a CliError `refused` for what must not be replaced. */
async function lookAtTarget(
  request: RebuildRequest,
  source: Venv,
  { uv, env }: { readonly uv: Uv; readonly env: Readonly<Record<string, string>> },
  system: System,
): Promise<{ readonly targetState: TargetState; readonly requirements: readonly string[] }> {
  const { target } = request;
  const there = await environmentAt(target);
  const requirements = await freezeOwnPackages(source, { uv, env }, system);
  if (there === undefined) return { targetState: "free", requirements };
  if (request.existing === "overwrite") return { targetState: "to be replaced", requirements };
  // Asking an environment for its packages runs its Python: never that of another user.
  const isSame = await isOurs(target, system) && there.pythonSeries === source.pythonSeries &&
    compareLists(requirements, await freezeOwnPackages(there, { uv, env }, system)).status === "matched";
  if (!isSame) throw existsAlready(target);
  return { targetState: "made already", requirements };
}

/** The environment at a target; undefined if its name is free. Throws a CliError `refused` for anything else there. */
async function environmentAt(target: AbsolutePath): Promise<Venv | undefined> {
  const info = await lstatIfPresent(target);
  if (info === undefined) return undefined;
  if (info.isDirectory && (await readNames(target)).size === 0) return undefined;
  const venv = info.isDirectory ? await readVenv(target) : undefined;
  if (venv !== undefined) return venv;
  throw new CliError("refused", `Cannot make "${target}": it already exists and is not an environment`, {
    hint: "choose another target; only a Python environment can be replaced, with --overwrite-target",
  });
}

async function isOurs(path: string, { userId }: Pick<System, "userId">): Promise<boolean> {
  const { uid } = await Deno.lstat(path);
  return uid === null || uid === userId;
}

function existsAlready(target: AbsolutePath): CliError {
  return new CliError("refused", `Cannot make "${target}": there is an environment with other packages already`, {
    hint: "choose another target, or replace it with --overwrite-target",
  });
}

async function checkFileSystems(request: RebuildRequest, system: System): Promise<void> {
  const { env } = system;
  const cache = request.uvCacheDir ?? env.UV_CACHE_DIR;
  if (request.acrossFileSystems === "copy" || cache === undefined) return;
  if (await deviceOf(cache) === await deviceOf(request.target)) return;
  throw new CliError("usage", `uv's cache "${cache}" and "${request.target}" are on different file systems`, {
    hint: "take a --uv-cache-dir beside the target, or let files be copied with --allow-copy",
  });
}

/**
 * Names beside the target. The new environment is made under a name of its process: a run that was wrongly taken for dead
 * then doesn't write into another run's environment. What it replaces has a constant name, so that the next run finds it.
 */
function pathsBeside(target: AbsolutePath) {
  const [directory, name] = splitAbsolute(target);
  const beside = (ending: string) => `${directory}/.${name}.${ending}`;
  return {
    made: temporaryBeside(target, "venv"),
    /** The name in older versions. */
    madeBefore: beside("new"),
    replaced: beside("old"),
    requirements: beside("requirements.txt"),
  };
}

function requirementsFile(target: AbsolutePath): string {
  return pathsBeside(target).requirements;
}

/**
 * Executes the plan and returns the Python it used and how the package lists compare. After a mismatch the target's name
 * is not used. Throws CliErrors, the target unchanged; what a killed run left is repaired first.
 */
export async function rebuild(
  plan: RebuildPlan,
  request: RebuildRequest,
  uv: Uv,
  audience: { readonly listener: Listener; readonly report: Report },
  system: System,
): Promise<Rebuilt> {
  const { target } = plan;
  const { made, madeBefore, replaced, requirements } = pathsBeside(target);
  await Deno.mkdir(splitAbsolute(target)[0], { recursive: true, mode: 0o700 });
  const wait = (text: string) => audience.report({ type: "note", subject: target, text });
  await using lock = await lockVenv(target, request.lockTimeoutSeconds, system, wait);
  const held = underLocks(system, lock);
  try {
    await removeTreeIfPresent(madeBefore);
    await putRight(target, replaced);
    // The repair, or another run in the meantime, may have put an environment at the target, or removed one.
    const there = await environmentAt(target);
    if (plan.targetState === "made already" && there !== undefined) {
      const safe = await carryInto(target, plan, audience.report, held);
      return { python: there.pythonVersion, parity: { status: "matched", missing: [], extra: [] }, safe };
    }
    if (there !== undefined && request.existing === "refuse") throw existsAlready(target);
    if (there !== undefined) refuseReplacing(request, await findOwnFiles(target, system));
    const env = { ...plan.env, ...(request.acrossFileSystems === "copy" ? { UV_LINK_MODE: "copy" } : {}) };
    const content = plan.requirements.join("\n") + "\n";
    await writeFileAtomically({ path: requirements, content, mode: 0o600, durability: "fast" });
    const python = await makeVenv(plan, made, env, uv, audience.listener, held);
    for (const args of plan.commands.slice(1)) {
      // uv makes it under its temporary name; the plan has the final one.
      await runUv(uv.program, args.map((word) => word === target ? made : word), env, audience.listener, held);
    }
    const parity = request.verify
      ? compareLists(
        plan.requirements,
        await freezeOwnPackages({ ...plan.source, path: made }, { uv, env }, held),
      )
      : { status: "skipped" as const, missing: [], extra: [] };
    if (parity.status === "mismatch") return { python, parity, safe: new Map() };
    const roots = { source: plan.source.path, made, target };
    const safe = await carryOwnFiles(plan.carriage, plan.own, roots, audience.report, held);
    await lock.confirm();
    await giveName(made, target, replaced, plan.source.path);
    return { python, parity, safe };
  } finally {
    // Also that of an earlier run that was killed.
    await unlinkPath(requirements).catch(() => {});
    await removeTreeIfPresent(made);
  }
}

/** Carries the files that no package brought into a target that an earlier run has made. */
async function carryInto(
  target: AbsolutePath,
  { source, carriage, own }: RebuildPlan,
  report: Report,
  system: System,
): Promise<ReadonlyMap<string, FileStatus>> {
  const safe = await carryOwnFiles(carriage, own, { source: source.path, made: target, target }, report, system);
  await fixPaths(target, target, source.path);
  return safe;
}

/** Restores the target: a run that was killed between its two renames left it without its name. */
async function putRight(target: string, replaced: string): Promise<void> {
  if (!await nameExists(replaced)) return;
  if (await nameExists(target)) await removeTree(replaced);
  else await Deno.rename(replaced, target);
}

async function makeVenv(
  plan: RebuildPlan,
  path: string,
  env: Readonly<Record<string, string>>,
  uv: Uv,
  listener: Listener,
  system: System,
): Promise<string> {
  let failure: unknown;
  for (const python of plan.pythons) {
    try {
      await runUv(
        uv.program,
        uvVenvArgs({
          ...{ path, python, onto: "nothing", prompt: splitAbsolute(plan.target)[1] },
          systemSitePackages: plan.source.systemSitePackages,
        }),
        env,
        listener,
        system,
      );
      await refuseHalfMade(path);
      return python;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failure = error;
      await removeTreeIfPresent(path);
    }
  }
  throw failure;
}

/** Compares two frozen lists. Pure. */
function compareLists(wanted: readonly string[], found: readonly string[]): Parity {
  const missing = wanted.filter((line) => !found.includes(line));
  const extra = found.filter((line) => !wanted.includes(line));
  return { status: missing.length + extra.length === 0 ? "matched" : "mismatch", missing, extra };
}

async function giveName(made: string, target: string, replaced: string, source: string): Promise<void> {
  // Its files get the paths for its final name before it has that name.
  await fixPaths(made, target, source);
  const occupied = await nameExists(target);
  try {
    if (occupied) await Deno.rename(target, replaced);
    await Deno.rename(made, target);
  } catch (error) {
    if (occupied && !await nameExists(target)) await Deno.rename(replaced, target);
    throw new CliError("file-system", `Cannot give "${target}" its name: ${messageOf(error)}`, { cause: error });
  }
  if (occupied) await removeTree(replaced);
}

/** Files that were carried name the source. */
async function fixPaths(path: string, target: string, source: string): Promise<void> {
  const failed = await applyRelocation(await planRelocation(path, target, { formerPaths: [source] }));
  if (failed.length === 0) return;
  throw new CliError("file-system", `Cannot fix the paths of "${target}"`, {
    lines: failed.map(({ path, error }) => `${path}: ${error}`),
  });
}

async function removeTreeIfPresent(path: string): Promise<void> {
  if (await nameExists(path)) await Deno.remove(path, { recursive: true });
}
