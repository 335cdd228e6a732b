// uv(1): its arguments, and the errors if it fails. Its options: https://docs.astral.sh/uv/reference/cli/
import { CliError } from "../errors/errors.ts";
import { withoutCredentials } from "../text/format.ts";
import { saysDiskIsFull } from "../errors/os_error.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { type Listener, runStreaming } from "./streaming.ts";

/** The uv of this machine. */
export interface Uv {
  readonly program: string;
  /** The values its --torch-backend accepts; empty for a uv before 0.6.9, which lacks that option. */
  readonly torchBackends: ReadonlySet<string>;
}

/** The uv on the PATH, or undefined. Reads its list of PyTorch backends only if `needsTorch`. */
export async function findUv(system: System, needsTorch: boolean): Promise<Uv | undefined> {
  const program = findProgram("uv", system.env);
  if (program === undefined) return undefined;
  return { program, torchBackends: needsTorch ? await readTorchBackends(program, system) : new Set() };
}

/** The error for a machine without uv. */
export function uvMissing(): CliError {
  return new CliError("missing-tool", "Cannot find uv on the PATH", {
    hint: "get it with `pip install --user uv`, or `curl -LsSf https://astral.sh/uv/install.sh | sh`; " +
      "both put it into ~/.local/bin",
  });
}

async function readTorchBackends(program: string, system: System): Promise<Set<string>> {
  const help = await spawn({
    program,
    args: ["pip", "install", "--help"],
    environment: "inherited",
    env: { NO_COLOR: "1" },
  }, system);
  const option = /--torch-backend[\s\S]*?\[possible values:([^\]]*)\]/.exec(help.stdout)?.[1] ?? "";
  return new Set(option.split(/[\s,]+/).filter((word) => word !== ""));
}

/** A new environment. */
export interface UvVenvRequest {
  readonly path: string;
  /** A version or an interpreter; uv's own choice if undefined. */
  readonly python: string | undefined;
  /** `remains`: complete what an interrupted run left of the environment. */
  readonly onto: "nothing" | "remains";
  /** The name that an activated shell shows, if not that of the directory. */
  readonly prompt?: string;
  /** Whether it also imports what the base Python has. */
  readonly systemSitePackages?: boolean;
  /** The directory of a project whose settings choose the Python, if `python` doesn't. */
  readonly project?: string | undefined;
}

/** The arguments of `uv venv`. */
export function uvVenvArgs(request: UvVenvRequest): string[] {
  return [
    "venv",
    ...(request.onto === "remains" ? ["--allow-existing"] : []),
    ...(request.python !== undefined
      ? ["--python", request.python]
      : request.project !== undefined
      ? ["--project", request.project]
      : []),
    ...(request.systemSitePackages === true ? ["--system-site-packages"] : []),
    ...(request.prompt === undefined ? [] : ["--prompt", request.prompt]),
    request.path,
  ];
}

/** Packages to install into an environment, and their sources. */
export interface UvInstallRequest {
  readonly venvPath: string;
  /** As the person wrote them: words that begin with a dash are options of uv. */
  readonly packages: readonly string[];
  readonly requirementFiles: readonly string[];
  /** Directories or addresses of projects to install as links. */
  readonly editables?: readonly string[];
  readonly indexUrl: string | undefined;
  readonly extraIndexUrls: readonly string[];
  readonly torchBackend: string | undefined;
  readonly upgrade: boolean;
}

/** The arguments of `uv pip install`. */
export function uvInstallArgs(request: UvInstallRequest): string[] {
  return [
    "pip",
    "install",
    "--python",
    request.venvPath,
    ...(request.upgrade ? ["--upgrade"] : []),
    ...(request.indexUrl === undefined ? [] : ["--index-url", request.indexUrl]),
    ...request.extraIndexUrls.flatMap((url) => ["--extra-index-url", url]),
    ...(request.torchBackend === undefined ? [] : ["--torch-backend", request.torchBackend]),
    ...request.requirementFiles.flatMap((file) => ["--requirements", file]),
    ...(request.editables ?? []).flatMap((project) => ["--editable", project]),
    ...request.packages,
  ];
}

/**
 * The arguments of `uv export` that write a project's lock as pylock.toml (PEP 751), with hashes and the index of each package.
 * It fails if the lock doesn't fit the project's pyproject.toml.
 */
export function uvExportArgs(
  { project, file, options }: { readonly project: string; readonly file: string; readonly options: readonly string[] },
): string[] {
  return [
    "export",
    "--quiet",
    "--project",
    project,
    "--locked",
    "--format",
    "pylock.toml",
    "--output-file",
    file,
    ...options,
  ];
}

/** The arguments of `uv pip freeze`. */
function uvFreezeArgs(venvPath: string): string[] {
  return ["pip", "freeze", "--python", venvPath];
}

/**
 * The same request with index URLs that have a password in variables: every user can read the arguments of a
 * process (ps), but only its owner the environment. uv takes all indexes of a kind from one place, so all extra ones move.
 */
function hideCredentials(
  args: readonly string[],
): { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  if (args.every((word) => withoutCredentials(word) === word)) return { args, env: {} };
  const kept: string[] = [];
  const [index, extra]: [string[], string[]] = [[], []];
  for (let at = 0; at < args.length; at++) {
    const list = args[at] === "--index-url" ? index : args[at] === "--extra-index-url" ? extra : undefined;
    if (list === undefined) kept.push(args[at]!);
    else list.push(args[++at]!);
  }
  return {
    args: kept,
    env: {
      ...(index.length === 0 ? {} : { UV_INDEX_URL: index.at(-1)! }),
      ...(extra.length === 0 ? {} : { UV_EXTRA_INDEX_URL: extra.join(" ") }),
    },
  };
}

/** Runs uv; its output goes to the listener. Throws a CliError `tool` with its last lines if it fails. */
export async function runUv(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  listener: Listener,
  system: System,
): Promise<void> {
  const hidden = hideCredentials(args);
  // uv prefers this variable to --index-url.
  const index = args.includes("--index-url") ? { UV_DEFAULT_INDEX: null } : {};
  const all = { ...env, ...hidden.env, ...index };
  const outcome = await runStreaming({ program, args: hidden.args, env: all }, listener, system);
  if (outcome.code === 0) return;
  throw new CliError(
    saysDiskIsFull(outcome.lastLines.join("\n")) ? "no-space" : "tool",
    `uv ${args[0] === "pip" ? `pip ${args[1]}` : args[0]} failed with exit code ${outcome.code}`,
    {
      lines: outcome.lastLines,
    },
  );
}

/** The packages of an environment as requirements, one a line. Throws a CliError `tool`. */
export async function freezePackages(
  program: string,
  venvPath: string,
  env: Readonly<Record<string, string>>,
  system: System,
): Promise<string[]> {
  const outcome = await spawn({ program, args: uvFreezeArgs(venvPath), environment: "inherited", env }, system);
  if (outcome.code !== 0) {
    throw new CliError("tool", `uv pip freeze failed with exit code ${outcome.code}`, {
      lines: outcome.stderr.trimEnd().split("\n").slice(-20),
    });
  }
  return outcome.stdout.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}
