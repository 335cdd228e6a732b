// Running a program in an image: what the container gets of this node, and of the caches on scratch.
import type { Config } from "../config/config.ts";
import { type AbsolutePath } from "../config/paths.ts";
import type { Tier } from "../config/tier.ts";
import { resolveConfig, resolveNode } from "../config/resolve.ts";
import type { System } from "../system/system.ts";
import { checkCacheRoot } from "../variables/cache_root.ts";
import { readMarker } from "../records/marker.ts";
import { layoutOf } from "../variables/layout.ts";
import { redirectedTarget } from "../nodes/redirect.ts";
import { findCopies, partIn } from "../variables/parts.ts";
import { extraExports } from "../config/extra_exports.ts";
import { tokenExport } from "../variables/token_export.ts";
import { type Apptainer, containerArgs, containerEnvironment, type ContainerRequest } from "../tools/apptainer.ts";
import { isDirectory, pathExists } from "../system/existence.ts";

/** A program in a container, as it will be started. */
export interface ContainerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Changes to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The managed variables inside, with the directories on scratch they name. */
  readonly variables: Readonly<Record<string, string>>;
  readonly gpu: ContainerRequest["gpu"];
}

/** Which GPU the node has, by the files that its driver makes. */
export async function findGpu(): Promise<ContainerRequest["gpu"]> {
  const there = async (path: string) => await pathExists(path);
  if (await there("/dev/nvidiactl") || await there("/dev/nvidia0")) return "nvidia";
  return await there("/dev/kfd") ? "amd" : "none";
}

/**
 * Returns what to set in the container: each managed variable with a complete copy or a redirected directory, its `exports`, and
 * HF_TOKEN_PATH, because the token stays at the source. With `to: node` the node's copy comes before that on scratch.
 */
export async function stagedVariables(
  config: Config,
  configPath: AbsolutePath,
  to: Tier | undefined,
  system: System,
): Promise<Record<string, string>> {
  const resolved = resolveConfig(config, configPath, system.env);
  const staged = new Map<string, string>();
  await checkCacheRoot(resolved, system.userId);
  const enabled = resolved.variables.filter((variable) => variable.enabled);
  const { copied, parts } = await findCopies(enabled, enabled, resolved);
  const node = to === "node" ? resolveNode(config, resolved, system.env, system.userId) : undefined;
  for (const { name } of copied) {
    const target = (node === undefined ? undefined : await completeCopy(node.root, name, system.userId)) ??
      await completeCopy(resolved.cacheRoot, name, system.userId);
    if (target !== undefined) staged.set(name, target);
  }
  for (const { name, enabled, tier } of resolved.redirected) {
    const root = tier === "scratch" ? resolved.cacheRoot : node?.root;
    if (!enabled || root === undefined) continue;
    const target = redirectedTarget(root, name);
    const info = await Deno.lstat(target).catch(() => undefined);
    if (info?.isDirectory && info.uid === system.userId) staged.set(name, target);
  }
  for (const part of parts) {
    const whole = staged.get(part.whole.name);
    if (whole === undefined) continue;
    const { variable: { name, target } } = partIn(part, whole as AbsolutePath);
    if (await isDirectory(target)) staged.set(name, target);
  }
  return {
    ...Object.fromEntries(staged),
    ...await tokenExport([...staged.keys()], { config, resolved, parts }, system.env),
    ...extraExports(config.vars, [...staged.keys()]).values,
  };
}

/** The copy of a variable below a root, if it is complete. */
async function completeCopy(root: string, name: string, userId: number): Promise<string | undefined> {
  const layout = layoutOf(root, name);
  const marker = await readMarker(layout.marker, userId);
  const target = await Deno.stat(layout.target).catch(() => undefined);
  const isComplete = typeof marker !== "string" && target?.isDirectory && target.ino === marker.target_inode;
  return isComplete ? layout.target : undefined;
}

/** The command line and environment that start the container; `more` are variables that are not staged. Pure. */
export function planContainer(
  apptainer: Apptainer,
  request: ContainerRequest,
  variables: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
): ContainerCommand {
  // Apptainer reads a colon or a comma in --bind as its own.
  const isBound = (path: string) => request.binds.some((bound) => path === bound || path.startsWith(`${bound}/`));
  const targets = [...new Set(Object.values(variables))].filter((path) => !/[:,]/.test(path) && !isBound(path));
  return {
    program: apptainer.program,
    args: containerArgs({ ...request, binds: [...targets, ...request.binds] }),
    env: containerEnvironment(apptainer, { ...variables, ...more }),
    variables,
    gpu: request.gpu,
  };
}
