// Running a program with a pack: the base image, with the pack bound over the path of the environment.
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { seriesOf } from "../venv/venv.ts";
import { parseBaseImage } from "./base_image.ts";
import { environmentPath, type ImageSetting, recordOf } from "./setting.ts";
import type { Report } from "../contract/events.ts";
import { type Apptainer, canBindImages, type ContainerRequest } from "../tools/apptainer.ts";
import { unsquash } from "../tools/mksquashfs.ts";
import { chooseWorkspace, makeWorkspace, removeWorkspace, sweepWorkspaces, workspaceCandidates } from "./workspace.ts";

/** How the container gets a pack; disposing of it removes what was unpacked. */
export interface PackMount extends AsyncDisposable {
  /** The value of Apptainer's --bind for the environment's path. */
  bindOf(path: string): string;
}

/** The pack itself where Apptainer can mount it, else a directory on this node to which it is unpacked. */
export async function mountPack(
  file: string,
  apptainer: Apptainer | undefined,
  setting: ImageSetting,
  report: Report,
  system: System,
): Promise<PackMount> {
  if (apptainer === undefined || await canBindImages(apptainer, system.env)) {
    return { bindOf: (path) => `${file}:${path}:image-src=/,ro`, [Symbol.asyncDispose]: async () => {} };
  }
  const candidates = await workspaceCandidates(setting, system);
  await sweepWorkspaces(candidates);
  const { size } = await Deno.stat(file);
  const workspace = await chooseWorkspace(candidates, PACKED_RATIO * size, system.userId);
  await makeWorkspace(workspace);
  try {
    report({ type: "note", text: `without squashfuse a pack cannot be mounted: unpacking it to ${workspace}` });
    await unsquash(file, `${workspace}/venv`, system);
  } catch (error) {
    await removeWorkspace(workspace);
    throw error;
  }
  return { bindOf: (path) => `${workspace}/venv:${path}`, [Symbol.asyncDispose]: () => removeWorkspace(workspace) };
}

/** Unpacked files take at most so many times the pack, by experience. */
export const PACKED_RATIO = 5;

/**
 * Turns a request to run in a pack into a request to run in the base image, with the pack bound over the environment's path.
 * Also returns the variables that activate the environment. Throws a CliError `config` for a base image that cannot be run.
 */
export async function withPack(
  request: ContainerRequest,
  name: string,
  setting: ImageSetting,
  mount: PackMount,
  { env }: System,
): Promise<{ readonly request: ContainerRequest; readonly variables: Readonly<Record<string, string>> }> {
  const path = environmentPath(setting, name);
  const record = recordOf(setting.section, name)!;
  const base = parseBaseImage(setting.section.base_image, seriesOf(record.python_version), env);
  const image = base.localPath === undefined ? `${base.agent}://${base.from}` : base.from;
  if (base.localPath !== undefined && base.agent !== "localimage") {
    throw new CliError("config", `Cannot run a pack in "${base.written}"`, {
      hint: "set apptainer.base_image to a .sif file, a sandbox directory or a Docker reference",
    });
  }
  const python = await findPythonPrefix(path);
  const runsPython = request.verb === "run";
  return {
    request: {
      ...request,
      image,
      verb: runsPython ? "exec" : request.verb,
      args: runsPython ? [`${path}/bin/python`, ...request.args] : request.args,
      binds: [...request.binds, ...(python === undefined ? [] : [python]), mount.bindOf(path)],
    },
    variables: {
      [record.venv_path === undefined ? "VIRTUAL_ENV" : "CONDA_PREFIX"]: path,
      PREPEND_PATH: `${path}/bin`,
      ...withoutModulesOfHost(env),
    },
  };
}

/** Modules of the host are for another Python, as in an image; what the user sets for the container stays. */
function withoutModulesOfHost(env: Readonly<Record<string, string>>): Record<string, string> {
  const names = ["PYTHONHOME", "PYTHONPATH"].filter((name) =>
    ["APPTAINERENV", "SINGULARITYENV"].every((prefix) => env[`${prefix}_${name}`] === undefined)
  );
  return Object.fromEntries(names.map((name) => [name, ""]));
}

/** The directory of a Python that no image brings, a module's or one of uv; undefined for the system's. */
async function findPythonPrefix(path: string): Promise<string | undefined> {
  const real = await Deno.realPath(`${path}/bin/python`).catch(() => "");
  // A conda prefix has a Python of its own, which is in the pack.
  if (real.startsWith(`${await Deno.realPath(path).catch(() => path)}/`)) return undefined;
  const prefix = real.replace(/\/bin\/[^/]*$/, "");
  return prefix === "" || prefix === real || ["/usr", "/usr/local"].includes(prefix) ? undefined : prefix;
}
