// Building an image: pack → definition → `apptainer build` beside the final name → rename → record. Nothing is left behind
// however it ends, and an existing image stays as it was until the rename.
import { splitAbsolute } from "../posix/file_names.ts";
import { editConfig } from "../config/config_edit.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { saysDiskIsFull } from "../errors/os_error.ts";
import { type Apptainer, apptainerMissing, buildArgs, isImageFile, runBuild, runShellIn } from "../tools/apptainer.ts";
import type { Listener } from "../tools/streaming.ts";
import { syncPath } from "../posix/durable.ts";
import { acquireLock, describe, type Lock, underLocks } from "../system/file_lock.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { refuseSharedDirectory } from "../system/trusted_path.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { ownedName, ownerOf } from "../system/temporary_name.ts";
import type { System } from "../system/system.ts";
import { measureTree } from "../transfer/measure.ts";
import { VERSION } from "../contract/version.ts";
import { promisedPython } from "./base_image.ts";
import { hashFile } from "./checksum.ts";
import { IMPORT_WARNING, renderDefinition } from "./definition.ts";
import { type ImageInputs, imageState, readImage } from "./inputs.ts";
import { packVenv } from "./pack_venv.ts";
import { pythonSearch } from "./python_search.ts";
import { type ImagePlaces, type ImageRecord, type ImageSetting, loadSetting } from "./setting.ts";
import {
  chooseWorkspace,
  makeWorkspace,
  neededBytes,
  removeWorkspace,
  sweepWorkspaces,
  workspaceCandidates,
} from "./workspace.ts";

/** What will be done for one image. */
export interface BuildPlan {
  readonly action: "build" | "skip";
  /** Why, for people. */
  readonly reason: string;
  readonly places: ImagePlaces;
  readonly inputs: ImageInputs;
  readonly record: ImageRecord | undefined;
}

/** The files and the text of one build, known when its directory is chosen. */
export interface BuildSteps {
  readonly workspace: AbsolutePath;
  readonly archive: string;
  /** How many files the environment has. */
  readonly files: number;
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
  const { places, record, inputs } = await readImage(setting, name, system);
  await checkBase(inputs);
  const state = await imageState(places, record, inputs);
  const reasons = {
    "up to date": "nothing changed since it was built",
    "missing": "there is no image yet",
    "outdated": "its packages, base image or settings changed",
    "unknown": "nobody recorded what the image there was built from",
  };
  const action = state === "up to date" && mode === "if-needed" ? "skip" : "build";
  const reason = state === "up to date" && mode === "force" ? "it was asked for" : reasons[state];
  return { action, reason, places, inputs, record };
}

/** The steps of a build, written out. Writes nothing; chooses a working directory by free space. */
export async function planSteps(plan: BuildPlan, setting: ImageSetting, system: System): Promise<BuildSteps> {
  const { places, inputs } = plan;
  const { sizeBytes, files } = await measureTree({ root: inputs.venv.path }, system);
  const candidates = await workspaceCandidates(setting, system);
  const workspace = await chooseWorkspace(candidates, neededBytes(sizeBytes), system.userId);
  const archive = `${workspace}/venv.tar`;
  const definitionFile = `${workspace}/image.def`;
  return {
    workspace,
    archive,
    files,
    definitionFile,
    definition: renderDefinition({
      base: inputs.base,
      venvName: inputs.venv.name,
      pythonVersion: inputs.venv.pythonVersion,
      containerPath: inputs.containerPath,
      packages: inputs.packages,
      archive,
      inputs: inputs.hash,
      version: VERSION,
    }),
    args: buildArgs(setting.section.build_args, places.building, definitionFile),
  };
}

/**
 * Builds one image if its plan, made again under the lock, still says so. Throws CliErrors: `missing-tool`, `locked`,
 * `no-space`, `tool` with Apptainer's last lines; the signal's reason on a signal. It always removes its temporary files.
 */
export async function buildImage(
  request: { readonly name: string; readonly mode: "if-needed" | "force"; readonly configOption: string | undefined },
  apptainer: Apptainer | undefined,
  audience: BuildAudience,
  system: System,
): Promise<BuildOutcome> {
  let setting = await loadSetting(request.configOption, system);
  let plan = await planBuild(setting, request.name, request.mode, system);
  await sweepWorkspaces(await workspaceCandidates(setting, system));
  if (plan.action === "skip") return { plan, steps: undefined, importWarnings: [] };
  if (apptainer === undefined) throw apptainerMissing();
  await Deno.mkdir(setting.sifStore, { recursive: true, mode: 0o700 });
  await refuseSharedDirectory(setting.sifStore, system.userId);
  await using lock = await acquireLock({
    path: plan.places.lock,
    deadlineSeconds: setting.config.lock_timeout_seconds,
    deadlineSetting: "lock_timeout_seconds",

    onWait: (holder) =>
      audience.report({
        type: "note",
        subject: request.name,
        text: `waiting: it is being built ${describe(holder, system)}`,
      }),
  }, system);
  await sweepDirectory(setting.sifStore);
  // Another job may have built it while we waited.
  setting = await loadSetting(request.configOption, system);
  plan = await planBuild(setting, request.name, request.mode, system);
  for (const path of await unfinishedBuilds(plan.places)) await removeIfThere(path);
  if (plan.action === "skip") return { plan, steps: undefined, importWarnings: [] };
  // Under a name of this process: a build that was wrongly taken for dead does not write into this one.
  plan = { ...plan, places: { ...plan.places, building: ownedName(plan.places.building) as AbsolutePath } };
  await checkBasePython(plan.inputs, apptainer, system);
  const steps = await planSteps(plan, setting, system);
  await makeWorkspace(steps.workspace);
  try {
    const held = underLocks(system, lock);
    const importWarnings = await executePlan(plan, steps, apptainer, audience, held);
    await publish(plan, steps, setting, lock, held);
    return { plan, steps, importWarnings };
  } finally {
    await removeIfThere(plan.places.building);
    await removeWorkspace(steps.workspace).catch((error) =>
      audience.report({ type: "warning", subject: request.name, text: messageOf(error) })
    );
  }
}

/** Refuses an unsuitable base before anything is packed: its tag says another Python, or its file does not exist. */
async function checkBase({ base, venv }: ImageInputs): Promise<void> {
  const promised = promisedPython(base);
  if (promised !== undefined && promised !== venv.pythonSeries) throw wrongPython(base.written, promised, venv);
  if (base.localPath === undefined || await Deno.stat(base.localPath).then(() => true, () => false)) return;
  throw new CliError("not-found", `Cannot find the base image "${base.localPath}"`, {
    hint: "euler-files config set apptainer.base_image IMAGE, with a Docker reference or the path of a .sif file",
  });
}

function wrongPython(base: string, found: string, venv: ImageInputs["venv"]): CliError {
  return new CliError(
    "config",
    `Cannot build upon "${base}": it has ${found}, and "${venv.name}" was made with ${venv.pythonSeries}`,
    {
      hint: `choose a base with Python ${venv.pythonSeries} (python:{version}-slim fits any), ` +
        "or make the environment again with the base's Python: `euler-files venv install --python VERSION`",
    },
  );
}

/** Looks into a base that is on this machine; one from a registry is looked at by the first lines of %post. */
async function checkBasePython({ base, venv }: ImageInputs, apptainer: Apptainer, system: System): Promise<void> {
  if (base.agent !== "localimage") return;
  const script = `${pythonSearch(venv.pythonSeries)}\necho "found=$python"`;
  const answer = await runShellIn(apptainer, base.from, script, system);
  if ("failure" in answer) {
    throw new CliError("tool", `Cannot start the base image "${base.from}"`, { lines: answer.failure });
  }
  if (/^found=\//m.test(answer.stdout)) return;
  throw wrongPython(base.written, `no Python ${venv.pythonSeries}`, venv);
}

/** Images that builds have not finished, each with the name of its process; those of an older version have no such name. */
export async function unfinishedBuilds({ building }: Pick<ImagePlaces, "building">): Promise<readonly string[]> {
  const [directory, prefix] = splitAbsolute(building);
  const names = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
  return names.filter(({ name }) => name === prefix || ownerOf(name, prefix) !== undefined)
    .map(({ name }) => `${directory}/${name}`);
}

async function executePlan(
  plan: BuildPlan,
  steps: BuildSteps,
  apptainer: Apptainer,
  { listener, report }: BuildAudience,
  system: System,
): Promise<string[]> {
  const { places, inputs } = plan;
  for (const one of inputs.packages.filter((one) => one.editable)) {
    report({
      type: "warning",
      subject: places.name,
      text: `${one.name} is installed as a link to ${one.directUrl}, which will not be in the image`,
      hint: "install it without --editable, or bind its directory when you run the image",
    });
  }
  const { venv, containerPath } = inputs;
  const { archive, files } = steps;
  await packVenv({ venv, containerPath, archive, filesTotal: files, subject: places.name }, report, system);
  await Deno.writeTextFile(steps.definitionFile, steps.definition, { mode: 0o600 });
  const temporary = `${steps.workspace}/apptainer`;
  await Deno.mkdir(temporary, { mode: 0o700 });
  report({ type: "note", subject: places.name, text: `building with ${apptainer.name}` });
  const importWarnings: string[] = [];
  // On a terminal of its own Apptainer's output, with what %test says, would not reach us; it draws only pulls there.
  const hear = (text: string) => {
    for (const line of text.split("\n")) if (line.startsWith(IMPORT_WARNING)) importWarnings.push(line);
    listener.hear(text);
  };
  const outcome = await runBuild(apptainer, steps.args, temporary, { terminal: false, hear }, system);
  if (outcome.code !== 0) throw buildFailure(apptainer, outcome.code, outcome.lastLines);
  if (!await isImageFile(places.building)) {
    throw new CliError("tool", `${apptainer.name} build ended well but made no image`, { lines: outcome.lastLines });
  }
  return importWarnings;
}

/** The error for a failed build, with a hint for the failures that are known from clusters. */
function buildFailure(apptainer: Apptainer, code: number, lines: readonly string[]): CliError {
  const said = lines.join("\n");
  const full = saysDiskIsFull(said);
  const hint = full
    ? "make room, or set TMPDIR (or APPTAINER_TMPDIR) to a directory with more"
    : /subuid|subgid|uid mapping|newuidmap|fakeroot.*(not|fail)/i.test(said)
    ? "this node may not allow --fakeroot: try another node, or change apptainer.build_args"
    : /dial tcp|no such host|i\/o timeout|connection refused|network is unreachable/i.test(said)
    ? "without internet, set apptainer.base_image to a .sif file: `apptainer pull` makes one on a machine that has it"
    : undefined;
  return new CliError(full ? "no-space" : "tool", `${apptainer.name} build failed with exit code ${code}`, {
    lines,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Gives the image its name, writes its definition beside it, and records the build in the configuration. */
async function publish(
  plan: BuildPlan,
  steps: BuildSteps,
  setting: ImageSetting,
  lock: Lock,
  system: System,
): Promise<void> {
  const { places, inputs, record } = plan;
  const sha256 = await hashFile(places.building, system.signal);
  await Deno.chmod(places.building, 0o700);
  const info = await Deno.stat(places.building);
  await syncPath(places.building);
  await lock.confirm();
  await Deno.rename(places.building, places.sif);
  // Some file systems refuse fsync on a directory; the rename is still in order.
  await syncPath(setting.sifStore).catch(() => {});
  await writeFileAtomically({ path: places.definition, content: steps.definition, mode: 0o600, durability: "fast" });
  const entry = {
    ...record,
    venv_name: places.venvName,
    python_version: inputs.venv.pythonVersion,
    sif_filename: splitAbsolute(places.sif)[1],
    built_at: system.now() / 1000,
    enabled: record?.enabled ?? true,
    inputs_hash: inputs.hash,
    sif_sha256: sha256,
    sif_size_bytes: info.size,
    sif_modified_at: (info.mtime?.getTime() ?? 0) / 1000,
  };
  await editConfig(setting.configPath, [{ path: ["apptainer", "images", places.name], value: entry }], system);
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
