// Finds out whether the task that ends is the last one of its Slurm step on this node.
import { type SharedLock, takeSharedLock } from "../system/shared_use.ts";
import type { System } from "../system/system.ts";
import { preparePrivateDirectory } from "./private_directory.ts";

/**
 * Takes this task's share in its step on this node. Outside of Slurm, and if the directory for the file cannot be made, every
 * task counts as the last: pushing more than once costs time but does no harm.
 */
export async function takeTaskLock({ env, userId }: Pick<System, "env" | "userId">): Promise<SharedLock> {
  const alone: SharedLock = { release: () => "last", [Symbol.dispose]() {} };
  const job = env.SLURM_JOB_ID;
  if (!job) return alone;
  const directory = `${env.TMPDIR || "/tmp"}/euler-files-${userId}`;
  try {
    await preparePrivateDirectory(directory, userId);
  } catch {
    return alone;
  }
  const step = `${job}.${env.SLURM_STEP_ID || "batch"}`.replaceAll(/[^A-Za-z0-9.]/g, "_");
  return takeSharedLock(`${directory}/.in-use.${step}`);
}
