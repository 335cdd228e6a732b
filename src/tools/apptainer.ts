// Apptainer, or Singularity, its former name: how it is called to build and to run. https://apptainer.org/docs/user/latest/
import { CliError } from "../errors/errors.ts";
import { findProgram, runInForeground, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { waitForServer } from "../system/wait_for_server.ts";
import { type Listener, runStreaming, type StreamingOutcome } from "./streaming.ts";

/** The container program of this machine. */
export interface Apptainer {
  readonly program: string;
  /** The prefix of its variables is `APPTAINER_` or `SINGULARITY_`. */
  readonly name: "apptainer" | "singularity";
}

/** Apptainer, otherwise Singularity, or undefined if the PATH has neither. */
export function findApptainer(env: Readonly<Record<string, string>>): Apptainer | undefined {
  for (const name of ["apptainer", "singularity"] as const) {
    const program = findProgram(name, env);
    if (program !== undefined) return { program, name };
  }
  return undefined;
}

/** The error if neither is installed, or its module isn't loaded. */
export function apptainerMissing(): CliError {
  return new CliError("missing-tool", "Cannot find apptainer or singularity on the PATH", {
    hint: "on most clusters it comes with `module load apptainer`; `module avail` shows what it is called",
  });
}

/** The arguments of a build. */
export function buildArgs(options: readonly string[], image: string, definition: string): string[] {
  return ["build", ...options, image, definition];
}

/** Builds; its output goes to the listener. Its temporary files go to `temporary`, unless the user has chosen a directory. */
export async function runBuild(
  apptainer: Apptainer,
  args: readonly string[],
  temporary: string,
  listener: Listener,
  system: System,
): Promise<StreamingOutcome> {
  const env = temporaryVariable(apptainer, temporary, system);
  return await runStreaming({ program: apptainer.program, args, env }, listener, system);
}

/** What makes Apptainer unpack to a directory, unless the user has chosen one. */
function temporaryVariable({ name }: Apptainer, temporary: string, { env }: System): Record<string, string> {
  const names = ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"];
  if (names.some((name) => env[name])) return {};
  return { [name === "apptainer" ? names[0]! : names[1]!]: temporary };
}

/** How to start something in a container. */
export interface ContainerRequest {
  readonly verb: "run" | "exec" | "shell";
  readonly image: string;
  /** The GPU of the node. */
  readonly gpu: "nvidia" | "amd" | "none";
  /** Directories of the host that the container gets under the same path. */
  readonly binds: readonly string[];
  /** Other options of apptainer. */
  readonly options: readonly string[];
  readonly args: readonly string[];
}

/** The arguments of `run`, `exec` and `shell`. */
export function containerArgs(request: ContainerRequest): string[] {
  const gpu = request.gpu === "nvidia" ? ["--nv"] : request.gpu === "amd" ? ["--rocm"] : [];
  return [
    request.verb,
    ...gpu.filter((option) => !request.options.includes(option)),
    ...request.binds.flatMap((path) => ["--bind", path]),
    ...request.options,
    request.image,
    ...request.args,
  ];
}

/** The variables that set others inside the container, overriding the image's own environment. */
export function containerEnvironment(
  apptainer: Apptainer,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const prefix = apptainer.name === "apptainer" ? "APPTAINERENV_" : "SINGULARITYENV_";
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [prefix + name, value]));
}

/** Runs the container in the foreground and returns the exit code of the program in it. */
export async function enterContainer(
  command: {
    readonly program: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  },
  stdout: "stdout" | "stderr",
  system: System,
): Promise<number> {
  const { program, args, env } = command;
  return await runInForeground({ program, args, env, ...(stdout === "stderr" ? { stdout } : {}) }, system);
}

/** Runs a shell script in an image, which may be unpacked to `temporary`; returns its output, or the last lines if it failed. */
export async function runShellIn(
  apptainer: Apptainer,
  { image, script, temporary }: { readonly image: string; readonly script: string; readonly temporary: string },
  system: System,
): Promise<{ readonly stdout: string } | { readonly failure: readonly string[] }> {
  const args = ["exec", "--cleanenv", "--no-home", image, "/bin/sh", "-c", script];
  const env = temporaryVariable(apptainer, temporary, system);
  const outcome = await spawn({ program: apptainer.program, args, environment: "inherited", env }, system);
  if (outcome.code === 0) return { stdout: outcome.stdout };
  return { failure: outcome.stderr.trimEnd().split("\n").slice(-20) };
}

/** Whether a file is an image: the format's magic follows a launch line of 32 bytes (SIF specification). */
export async function isImageFile(path: string): Promise<boolean> {
  try {
    await waitForServer(path);
    using file = await Deno.open(path);
    const head = new Uint8Array(42);
    let read = 0;
    for (let got: number | null; read < head.length && (got = await file.read(head.subarray(read))) !== null;) {
      read += got;
    }
    return new TextDecoder().decode(head.subarray(32, 41)) === "SIF_MAGIC";
  } catch {
    return false;
  }
}
