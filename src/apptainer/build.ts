// Building an image: pack → definition → `apptainer build` beside the final name → rename → record. Nothing is left behind
// however it ends, and an existing image stays as it was until the rename.
import { splitAbsolute } from "../posix/file_names.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { type Apptainer, apptainerMissing, buildArgs, isImageFile, runBuild } from "../tools/apptainer.ts";
import type { Listener } from "../tools/streaming.ts";
import { readUmask } from "../posix/calls.ts";
import { type Lock, underLocks } from "../system/file_lock.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { ownedName, ownerOf } from "../system/temporary_name.ts";
import type { System } from "../system/system.ts";
import { measureTree } from "../transfer/measure.ts";
import { VERSION } from "../contract/version.ts";
import { checkBase, checkBasePython } from "./base_check.ts";
import { buildFailure } from "./build_failure.ts";
import { IMPORT_WARNING, renderDefinition } from "./definition.ts";
import { findDifferences, isOnlyVersion, MADE_EARLIER } from "./differences.ts";
import { lockImage, publishImage } from "./image_store.ts";
import { type ImageInputs, type ImageState, imageState, readImage } from "./inputs.ts";
import { findLeftBehind, type LeftBehind } from "./left_behind.ts";
import { isTaggedLayout, writeTaggedLayout } from "./oci_layout.ts";
import { packLocked } from "./pack_locked.ts";
import { type FileHashes, findOwnFiles, isAsRecorded } from "../venv/own_files.ts";
import {
  type ImagePaths,
  type ImageRecord,
  type ImageSetting,
  loadSetting,
  packFile,
  recordOf,
  withoutPack,
} from "./setting.ts";
import {
  chooseWorkspace,
  makeWorkspace,
  neededBytes,
  removeWorkspace,
  sweepWorkspaces,
  workspaceCandidates,
} from "./workspace.ts";
import { renderRequirements } from "./requirements.ts";
import { refreshWrappers } from "./wrapped_image.ts";
import { removeIfPresent } from "../system/existence.ts";
import { readNamesOrNone } from "../posix/read_names.ts";

/** What will be done for one image. */
export interface BuildPlan {
  readonly action: "build" | "skip";
  /** Why, for people. */
  readonly reason: string;
  readonly paths: ImagePaths;
  readonly inputs: ImageInputs;
  readonly record: ImageRecord | undefined;
}

/** The files and the text of one build, known when its directory is chosen. */
export interface BuildSteps {
  readonly workspace: AbsolutePath;
  readonly archive: string;
  /** How many files the environment has. */
  readonly files: number;
  readonly leftBehind: LeftBehind;
  readonly definitionFile: string;
  readonly definition: string;
  /** The arguments of apptainer. */
  readonly args: readonly string[];
}

/** How a build ended. */
export interface BuildOutcome {
  readonly plan: BuildPlan;
  readonly steps: BuildSteps | undefined;
  /** What %test could not import. */
  readonly importWarnings: readonly string[];
}

/** What receives the events and output of a build. */
export interface BuildAudience {
  readonly listener: Listener;
  readonly report: Report;
}

/** Decides whether an image must be built. Reads only. Throws the CliErrors of {@linkcode readImage}, and for a wrong base. */
export async function planBuild(
  setting: ImageSetting,
  name: string,
  mode: "if-needed" | "force",
  system: System,
): Promise<BuildPlan> {
  const { paths, record, inputs } = await readImage(withoutPack(setting, name), name, system);
  await checkBase(inputs);
  const compared = await imageState(paths, record, inputs);
  const isMadeEarlier = compared === "outdated" && isOnlyVersion(await findDifferences(setting, paths, inputs));
  const state = isMadeEarlier ? "made earlier" : await buildState(compared, record, inputs, mode, system);
  const reasons = {
    "up to date": "nothing changed since it was built",
    "missing": "there is no image yet",
    "outdated": "its packages, base image or settings changed",
    "made earlier": `it was ${MADE_EARLIER}`,
    "edited": "files in it changed that no package brought, or that were edited or removed since",
    "unknown": "the image is not the one that was recorded, or nothing was recorded",
  };
  const action = state === "up to date" && mode === "if-needed" ? "skip" : "build";
  const reason = state === "up to date" && mode === "force" ? "it was asked for" : reasons[state];
  return { action, reason, paths, inputs, record };
}

function requirementsIn(workspace: string): string {
  return `${workspace}/requirements.txt`;
}

function layoutIn(workspace: string): string {
  return `${workspace}/layout`;
}

/** A file that was added or edited by hand changes no package: it is looked for before a build is skipped. */
async function buildState(
  state: ImageState,
  record: ImageRecord | undefined,
  { venv }: ImageInputs,
  mode: "if-needed" | "force",
  system: System,
): Promise<ImageState | "edited"> {
  if (state !== "up to date" || mode === "force" || record?.own_files_hash === undefined) return state;
  return isAsRecorded(await findOwnFiles(venv.path, system), record) ? state : "edited";
}

/** The steps of a build, written out. Writes nothing; chooses a working directory by free space. */
export async function planSteps(plan: BuildPlan, setting: ImageSetting, system: System): Promise<BuildSteps> {
  const { paths, inputs } = plan;
  const { sizeBytes, files } = await measureTree({ root: inputs.venv.path }, system);
  const candidates = await workspaceCandidates(setting, system);
  const workspace = await chooseWorkspace(candidates, neededBytes(sizeBytes), system.userId);
  const archive = `${workspace}/venv.tar`;
  const definitionFile = `${workspace}/image.def`;
  return {
    workspace,
    archive,
    files,
    leftBehind: await findLeftBehind(inputs, system),
    definitionFile,
    definition: renderDefinition({
      base: isTaggedLayout(inputs.base) ? { ...inputs.base, from: layoutIn(workspace) } : inputs.base,
      venvName: inputs.venv.name,
      pythonVersion: inputs.venv.pythonVersion,
      containerPath: inputs.containerPath,
      packages: inputs.packages,
      postLines: setting.section.post_lines,
      archive,
      requirements: requirementsIn(workspace),
      inputs: inputs.hash,
      version: VERSION,
    }),
    args: buildArgs(setting.section.build_args, paths.building, definitionFile),
  };
}

/**
 * Builds one image if its plan, made again under the lock, still says so. Throws the CliErrors of {@linkcode planBuild}, and
 * `missing-tool`, `locked`, `no-space`, `transfer` if the environment changed meanwhile, `tool` with Apptainer's last lines; the
 * signal's reason on a signal. It always removes its temporary files.
 */
export async function buildImage(
  request: { readonly name: string; readonly mode: "if-needed" | "force"; readonly configOption: string | undefined },
  apptainer: Apptainer | undefined,
  audience: BuildAudience,
  system: System,
): Promise<BuildOutcome> {
  let setting = withoutPack(await loadSetting(request.configOption, system), request.name);
  let plan = await planBuild(setting, request.name, request.mode, system);
  await sweepWorkspaces(await workspaceCandidates(setting, system));
  if (plan.action === "skip") return { plan, steps: undefined, importWarnings: [] };
  if (apptainer === undefined) throw apptainerMissing();
  const locking = { name: request.name, file: plan.paths.sif, path: plan.paths.lock, work: "being built", setting };
  await using lock = await lockImage(locking, audience.report, system);
  await sweepDirectory(setting.sifStore);
  // Another job may have built it while we waited.
  const now = await loadSetting(request.configOption, system);
  setting = withoutPack(now, request.name);
  plan = await planBuild(setting, request.name, request.mode, system);
  for (const path of await unfinishedBuilds(plan.paths)) await removeIfPresent(path);
  if (plan.action === "skip") return { plan, steps: undefined, importWarnings: [] };
  // Under a name of this process: a build that was wrongly taken for dead does not write into this one.
  plan = { ...plan, paths: { ...plan.paths, building: ownedName(plan.paths.building) as AbsolutePath } };
  const steps = await planSteps(plan, setting, system);
  await makeWorkspace(steps.workspace);
  try {
    const held = underLocks(system, lock);
    const temporary = `${steps.workspace}/apptainer`;
    await Deno.mkdir(temporary, { mode: 0o700 });
    const { base } = plan.inputs;
    await Deno.writeTextFile(
      requirementsIn(steps.workspace),
      renderRequirements(plan.inputs.venv, plan.inputs.packages),
    );
    await Deno.chmod(requirementsIn(steps.workspace), 0o644);
    if (isTaggedLayout(base)) await writeTaggedLayout(base, layoutIn(steps.workspace));
    await checkBasePython(plan.inputs, apptainer, temporary, held);
    const fileHashes = await packInto(plan, steps, setting, audience.report, held);
    const importWarnings = await executePlan(plan, steps, apptainer, audience, held);
    await publish(plan, steps, { setting, lock, fileHashes }, held);
    // The image has replaced the pack, and no record leads to that any more.
    if (recordOf(now.section, request.name)?.kind === "pack") await removeIfPresent(packFile(setting, request.name));
    await refreshWrappers(await loadSetting(request.configOption, held), request.name, audience.report, held);
    return { plan, steps, importWarnings };
  } finally {
    await removeIfPresent(plan.paths.building);
    await removeWorkspace(steps.workspace).catch((error) =>
      audience.report({ type: "warning", subject: request.name, text: messageOf(error) })
    );
  }
}

/** Images that builds have not finished, each with the name of its process; those of an older version have no such name. */
export async function unfinishedBuilds({ building }: Pick<ImagePaths, "building">): Promise<readonly string[]> {
  const [directory, prefix] = splitAbsolute(building);
  const names = [...(await readNamesOrNone(directory)).keys()];
  return names.filter((name) => name === prefix || ownerOf(name, prefix) !== undefined)
    .map((name) => `${directory}/${name}`);
}

/** Packs the environment, and returns the hashes of its files. */
async function packInto(
  { paths, inputs }: BuildPlan,
  { leftBehind, archive, files }: BuildSteps,
  setting: ImageSetting,
  report: Report,
  system: System,
): Promise<FileHashes> {
  for (const warning of leftBehind.warnings) report({ type: "warning", subject: paths.name, ...warning });
  const { venv, containerPath } = inputs;
  const { copied } = leftBehind;
  const packing = { venv, containerPath, archive, copied, filesTotal: files, subject: paths.name };
  return await packLocked({ setting, paths, inputs, packing }, report, system);
}

async function executePlan(
  plan: BuildPlan,
  steps: BuildSteps,
  apptainer: Apptainer,
  { listener, report }: BuildAudience,
  system: System,
): Promise<string[]> {
  const { paths } = plan;
  await Deno.writeTextFile(steps.definitionFile, steps.definition, { mode: 0o600 });
  const temporary = `${steps.workspace}/apptainer`;
  report({ type: "note", subject: paths.name, text: `building with ${apptainer.name}` });
  const importWarnings: string[] = [];
  // On a terminal of its own Apptainer's output, with what %test says, would not reach us; it draws only pulls there.
  const hear = (text: string) => {
    for (const line of text.split("\n")) if (line.startsWith(IMPORT_WARNING)) importWarnings.push(line);
    listener.hear(text);
  };
  const outcome = await runBuild(apptainer, steps.args, temporary, { terminal: false, hear }, system);
  if (outcome.code !== 0) {
    throw buildFailure(`${apptainer.name} build failed with exit code ${outcome.code}`, paths.name, outcome.lastLines);
  }
  if (!await isImageFile(paths.building)) {
    throw new CliError("tool", `${apptainer.name} build ended well but made no image`, { lines: outcome.lastLines });
  }
  return importWarnings;
}

/** Gives the image its name, writes its definition beside it, and records the build in the configuration. */
async function publish(
  plan: BuildPlan,
  steps: BuildSteps,
  { setting, lock, fileHashes }: {
    readonly setting: ImageSetting;
    readonly lock: Lock;
    readonly fileHashes: FileHashes;
  },
  system: System,
): Promise<void> {
  const { paths, inputs, record } = plan;
  await Deno.chmod(paths.building, await modeFor(setting.sifStore));
  const { name, building, sif, definition, requirements } = paths;
  await publishImage(
    {
      ...{ name, building, file: sif },
      texts: {
        [definition]: steps.definition,
        [requirements]: renderRequirements(inputs.venv, inputs.packages),
      },
      record: {
        ...record,
        venv_name: paths.venvName,
        python_version: inputs.venv.pythonVersion,
        inputs_hash: inputs.hash,
        ...fileHashes,
      },
    },
    { setting, lock },
    system,
  );
}

/** A store that others may read is for sharing: its images get the modes that the umask leaves. */
async function modeFor(store: string): Promise<number> {
  const isPrivate = (((await Deno.stat(store)).mode ?? 0) & 0o055) === 0;
  return isPrivate ? 0o700 : 0o777 & ~readUmask();
}
