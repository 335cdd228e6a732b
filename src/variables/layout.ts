// The paths of a variable's files in the cache root. Marker and lock keep the names that older versions gave them.
import { nameExists } from "../system/existence.ts";
import type { System } from "../system/system.ts";

/** The paths beside a variable's target. */
export interface VariableLayout {
  /** The staged copy; the value of the export. */
  readonly target: string;
  readonly marker: string;
  readonly manifest: string;
  /** The source that the manifest belongs to; read if there is no marker. */
  readonly source: string;
  /** The intent log of a transfer into a live directory; removed once the manifest records its names. */
  readonly intentLog: string;
  /** The intent log of a version that gave it another name (transfer/intent_log.ts). */
  readonly earlierIntentLog: string;
  readonly lock: string;
  /** An unfinished first copy that a failed sync has left. During a sync its process is appended (staging/first_copy.ts). */
  readonly partial: string;
  /** The files that a transfer kept on scratch; read if there is no marker to name them. */
  readonly kept: string;
  /** The progress file of the working job, for the jobs that wait. */
  readonly progress: string;
  /** The copy packed into one file, for the nodes of a job (pack.ts). */
  readonly pack: string;
  /** A directory: what nodes have saved and is not merged, and what is in conflict (saved_push.ts). */
  readonly saved: string;
  /** Which nodes of a job have a copy (staged_nodes.ts). */
  readonly nodes: string;
}

/** The layout of one variable. The config has checked that the name is a single path component. */
export function layoutOf(cacheRoot: string, name: string): VariableLayout {
  return {
    target: `${cacheRoot}/${name}`,
    marker: `${cacheRoot}/.${name}.synced`,
    manifest: `${cacheRoot}/.${name}.manifest`,
    source: `${cacheRoot}/.${name}.source`,
    intentLog: `${cacheRoot}/.${name}.intent-log`,
    earlierIntentLog: `${cacheRoot}/.${name}.notes`,
    lock: `${cacheRoot}/.${name}.lock`,
    partial: `${cacheRoot}/.${name}.partial`,
    kept: `${cacheRoot}/.${name}.kept`,
    progress: `${cacheRoot}/.${name}.progress`,
    pack: `${cacheRoot}/.${name}.pack`,
    saved: `${cacheRoot}/.${name}.from`,
    nodes: `${cacheRoot}/.${name}.nodes`,
  };
}

/** Where a target is kept that was replaced: `NAME.replaced-SECONDS`, with the first second for which no such name exists. */
export async function unusedName(target: string, system: Pick<System, "now">): Promise<string> {
  for (let seconds = Math.floor(system.now() / 1000);; seconds++) {
    const name = `${target}.replaced-${seconds}`;
    if (!await nameExists(name)) return name;
  }
}
