// Images on the disks of all nodes of a job: one step runs `apptainer sync` on each node, from the copies on scratch.
import type { Context } from "../contract/command.ts";
import type { CliError } from "../errors/errors.ts";
import { failureOnNodes, fanOut, type NodeAnswer } from "../slurm/fan_out.ts";
import type { Job } from "../slurm/job.ts";

/** What the nodes of a job have of one image. */
export interface ImageOnNodes {
  readonly name: string;
  /** Its path on the first node that has it. */
  readonly target: string | undefined;
  readonly nodes: number;
  /** What was copied to all nodes together; 0 if all had it. */
  readonly sizeBytes: number;
  /** Which nodes do not have it, and why. */
  readonly failure: CliError | undefined;
}

/**
 * Copies images to the disks of all nodes of the job. `checksums`: those of their copies on scratch, by name; a node that sees
 * other copies fails. Throws a CliError if srun is missing.
 */
export async function copyImagesToNodes(
  images: readonly string[],
  { job, force, checksums }: {
    readonly job: Job;
    readonly force: boolean;
    readonly checksums: Readonly<Record<string, string>>;
  },
  { system, configOption }: Context,
): Promise<ImageOnNodes[]> {
  if (images.length === 0) return [];
  const answer = await fanOut({
    job,
    words: ["apptainer", "sync"],
    request: { images, to: "node", leg: "scratch-to-node", scratch_images: checksums, force },
    options: configOption === undefined ? [] : ["--config", configOption],
  }, system);
  return images.map((name) => {
    const found = answer.answers.flatMap((one) => resultIn(one, name) ?? []);
    const failure = failureOnNodes(name, answer, (one) => resultIn(one, name) !== undefined);
    return {
      name,
      target: found[0]?.target,
      nodes: found.length,
      sizeBytes: found.reduce((sum, { bytes_transferred }) => sum + bytes_transferred, 0),
      failure,
    };
  });
}

/** The result of a node that has the image. */
function resultIn({ results }: NodeAnswer, name: string): NodeAnswer["results"][number] | undefined {
  return results.find((one) => one.name === name && (one.status === "synced" || one.status === "skipped"));
}
