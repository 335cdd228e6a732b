// Where a variable's files lie in the cache root. Marker and lock keep the names older versions gave them.

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
  /** A first fill grows here and becomes the target by one rename. */
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
