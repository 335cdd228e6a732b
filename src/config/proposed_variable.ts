// The configuration entry of a variable that is added by its name: its source directory, or that it is redirected.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { type AbsolutePath, isWithin, realLocation, resolvePath, toAbsolutePath } from "./paths.ts";
import { defaultSource, type Preset, PRESETS } from "./presets.ts";
import type { Tier } from "./tier.ts";

/** What is known about a variable to add. */
export interface ProposalRequest {
  readonly name: string;
  /** As typed; undefined for its usual directory. */
  readonly directory: string | undefined;
  readonly mode: "stage" | "redirect" | undefined;
  readonly tier: Tier | undefined;
  /** A directory on scratch is refused as a source; undefined if scratch is not known. */
  readonly scratchBase: AbsolutePath | undefined;
}

/** A variable's entry in the configuration. */
export interface ProposedVariable {
  readonly source?: string;
  readonly mode?: "redirect";
  readonly tier?: Tier;
  readonly enabled: true;
}

/** Where a program keeps the data of a variable: the directory that the environment names, then the default. */
export function usualPaths(preset: Preset | undefined, name: string, env: Readonly<Record<string, string>>): string[] {
  const defaults = preset === undefined ? [] : [defaultSource(preset, env), defaultSource(preset, {})];
  // After a sync this shell's variables name the copies on scratch, XDG_CACHE_HOME too: then the plain default is next.
  return [env[name], ...defaults].filter((path) => path !== undefined && path !== "") as string[];
}

/**
 * The entry. A variable without a directory is redirected if that suits it better (package caches, compiled code). Throws
 * `usage` if the directory is not known or doesn't suit this mode.
 */
export async function proposeVariable(
  request: ProposalRequest,
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<ProposedVariable> {
  const { name, directory, tier } = request;
  const preset = PRESETS.find((preset) => preset.name === name);
  const mode = request.mode ?? (directory === undefined && preset?.redirect !== undefined ? "redirect" : "stage");
  if (mode === "redirect") {
    if (directory !== undefined) {
      throw new CliError("usage", `Cannot redirect ${name} to "${printable(directory)}"`, {
        hint: "a redirected variable gets an empty directory on scratch: leave the directory out",
      });
    }
    const chosenTier = tier ?? preset?.redirect ?? "scratch";
    return { mode, ...(chosenTier === "scratch" ? {} : { tier: chosenTier }), enabled: true };
  }
  const source = directory === undefined
    ? await usualPath(request, preset, env)
    : sourceAsTyped(directory, env, cwd, name);
  return { source, ...(tier === undefined ? {} : { tier }), enabled: true };
}

/** `~` and `$VAR` are kept; a relative path is refused, because it would mean another directory in the next job. */
function sourceAsTyped(
  directory: string,
  env: Readonly<Record<string, string>>,
  cwd: string,
  name: string,
): string {
  if (/^[/~$]/.test(directory)) return directory;
  return resolvePath(directory, env, cwd, { label: `the directory of ${name}`, kind: "usage" });
}

async function usualPath(
  { name, scratchBase }: ProposalRequest,
  preset: Preset | undefined,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const scratch = scratchBase === undefined ? undefined : await realLocation(scratchBase);
  for (const typed of usualPaths(preset, name, env)) {
    try {
      const path = toAbsolutePath(typed, env, { label: name, kind: "usage" });
      if (scratch === undefined || !isWithin(await realLocation(path), scratch)) return typed;
    } catch (error) {
      // A relative value doesn't suit all jobs; the next candidate may.
      if (!(error instanceof CliError)) throw error;
    }
  }
  throw new CliError("usage", `Cannot tell where the files of ${name} are kept`, {
    hint: `name the directory: \`euler-files add ${name} DIRECTORY\``,
  });
}
