// Where a variable's files lie in the cache root. Marker and lock keep the names older versions gave them.
import type { System } from "../system/system.ts";

/** The paths beside a variable's target. */
export interface VariableLayout {
  /** The staged copy; the value of the export. */
  readonly target: string;
  readonly marker: string;
  readonly manifest: string;
  /** Which source the manifest is about, for when there is no marker. */
  readonly source: string;
  /** What an in-place transfer is writing; gone once the manifest has it. */
  readonly notes: string;
  readonly lock: string;
  /** A first copy that a sync has left unfinished; while one writes, the name of its process follows (first_copy.ts). */
  readonly partial: string;
  /** The files that were left as they are on scratch, for when there is no marker to name them. */
  readonly kept: string;
  /** Shown to the jobs that wait: how far the one that works is. */
  readonly progress: string;
}

/** The layout of one variable. The name is one path component: config checks that. */
export function layoutOf(cacheRoot: string, name: string): VariableLayout {
  return {
    target: `${cacheRoot}/${name}`,
    marker: `${cacheRoot}/.${name}.synced`,
    manifest: `${cacheRoot}/.${name}.manifest`,
    source: `${cacheRoot}/.${name}.source`,
    notes: `${cacheRoot}/.${name}.notes`,
    lock: `${cacheRoot}/.${name}.lock`,
    partial: `${cacheRoot}/.${name}.partial`,
    kept: `${cacheRoot}/.${name}.kept`,
    progress: `${cacheRoot}/.${name}.progress`,
  };
}

/** Where files go that a node changed and that changed on scratch as well: `.NAME.from/JOB.NODE`. */
export function savedFromNode(
  cacheRoot: string,
  name: string,
  { env, hostName, processId }: Pick<System, "env" | "hostName" | "processId">,
): { readonly directory: string; readonly path: string } {
  const directory = `${cacheRoot}/.${name}.from`;
  const from = `${env.SLURM_JOB_ID || processId}.${env.SLURMD_NODENAME || hostName}`;
  return { directory, path: `${directory}/${from.replaceAll(/[^A-Za-z0-9._-]/g, "_")}` };
}
