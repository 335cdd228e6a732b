// The Slurm job this process runs in: whether it may act for several nodes. Pure.

/** A part of a job with nodes of one kind; a job that is not heterogeneous has one. */
export interface JobPart {
  /** The number of the part in a heterogeneous job. */
  readonly group?: number;
  readonly nodes: number;
  /** The names of these nodes as Slurm writes them, such as `n[1-4]`; empty if unknown. */
  readonly list: string;
}

/** A job on several nodes, seen from its batch script or from the shell of `salloc`. */
export interface Job {
  readonly id: string;
  readonly parts: readonly JobPart[];
  readonly nodes: number;
}

/**
 * The job whose nodes this process may act for. Undefined outside of a job, in a job of one node, and inside of a step:
 * in a step each task acts for its own node, and many tasks would start many steps.
 */
export function findJob(env: Readonly<Record<string, string>>): Job | undefined {
  const id = env.SLURM_JOB_ID;
  if (!id || env.SLURM_STEP_ID) return undefined;
  const groups = Number(env.SLURM_HET_SIZE || 0);
  const parts = groups > 0
    ? Array.from({ length: groups }, (_, group) => ({
      group,
      nodes: Number(env[`SLURM_JOB_NUM_NODES_HET_GROUP_${group}`] || 1),
      list: env[`SLURM_JOB_NODELIST_HET_GROUP_${group}`] ?? "",
    }))
    : [{ nodes: Number(env.SLURM_JOB_NUM_NODES || 1), list: env.SLURM_JOB_NODELIST ?? "" }];
  const nodes = parts.reduce((sum, part) => sum + part.nodes, 0);
  return nodes > 1 ? { id, parts, nodes } : undefined;
}
