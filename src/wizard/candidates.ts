// The variables offered: those configured already, and the well-known ones with the directory of their data.
import type { Config } from "../config/config.ts";
import { type AbsolutePath, isWithin, realLocation, toAbsolutePath } from "../config/paths.ts";
import { type Preset, PRESETS } from "../config/presets.ts";
import { usualPaths } from "../config/proposed_variable.ts";
import type { System } from "../system/system.ts";
import { countTree, type TreeCount } from "./tree_count.ts";
import { isDirectory } from "../system/existence.ts";

/** A variable to offer. */
export interface Candidate {
  readonly name: string;
  /** The programs that read it and its content: `PyTorch: models of torch.hub`. */
  readonly about: string;
  /** The directory to propose; missing if all known ones are on scratch. */
  readonly source?: string;
  /** The size of that directory; missing if it doesn't exist. */
  readonly count?: TreeCount;
}

/** What is known before the variables are offered. */
export interface CandidateRequest {
  readonly existing: Config | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** The scratch directory; nothing on it is proposed as a source. */
  readonly scratchBase: AbsolutePath;
  /** Its signal ends the counting. */
  readonly system: Pick<System, "signal" | "calls">;
}

/** All candidates: configured ones, then those found on disk, then the others. Also starts to measure their sizes. */
export async function listCandidates(request: CandidateRequest): Promise<Candidate[]> {
  const scratch = await realLocation(request.scratchBase);
  const configured = await Promise.all(
    Object.entries(request.existing?.vars ?? {}).map(([name, { source }]) => {
      const preset = PRESETS.find((preset) => preset.name === name);
      return candidate(
        name,
        preset === undefined ? "your own" : describe(preset),
        source === undefined ? [] : [source],
        scratch,
        request,
      );
    }),
  );
  const others = PRESETS.filter(({ name }) => !configured.some((one) => one.name === name));
  const presets = await Promise.all(others.map((preset) => {
    const { name } = preset;
    return candidate(name, describe(preset), usualPaths(preset, name, request.env), scratch, request);
  }));
  const [found, missing] = [true, false].map((there) => presets.filter(({ count }) => (count !== undefined) === there));
  return [...configured, ...found!, ...missing!];
}

function describe({ tool, holds, caution, redirect }: Preset): string {
  const proposal = redirect === undefined
    ? ""
    : `; better redirected to ${redirect === "node" ? "the node" : redirect}`;
  return `${tool}: ${holds}${proposal}${caution === undefined ? "" : `; ${caution}`}`;
}

/** The first directory that exists, otherwise the first that could be made. */
async function candidate(
  name: string,
  about: string,
  usual: readonly string[],
  scratch: AbsolutePath,
  { env, system }: CandidateRequest,
): Promise<Candidate> {
  let source: AbsolutePath | undefined;
  for (const typed of usual) {
    const path = absoluteOrNothing(typed, env);
    if (path === undefined || isWithin(await realLocation(path), scratch)) continue;
    if (await isDirectory(path)) {
      return { name, about, source: path, count: countTree(path, system) };
    }
    source ??= path;
  }
  return { name, about, ...(source === undefined ? {} : { source }) };
}

function absoluteOrNothing(typed: string, env: Readonly<Record<string, string>>): AbsolutePath | undefined {
  try {
    return toAbsolutePath(typed, env, { label: "", kind: "usage" });
  } catch {
    return undefined;
  }
}
