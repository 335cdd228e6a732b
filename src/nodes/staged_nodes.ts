// Which nodes of a job have a copy: the process that acts for all of them writes it beside the copy on scratch, and `status` tells
// it in the same job.
import * as v from "valibot";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import { layoutOf } from "../variables/layout.ts";

const SCHEMA = v.object({ job: v.string(), nodes: v.array(v.string()), target: v.string(), staged_at: v.number() });

/** The nodes of a job that have a copy, the path of that copy, and when it was complete, in seconds since 1970. */
export type StagedNodes = v.InferOutput<typeof SCHEMA>;

/** Writes which nodes have a copy. Only for people, so errors are ignored. */
export async function recordStagedNodes(cacheRoot: string, name: string, staged: StagedNodes): Promise<void> {
  const { nodes: path } = layoutOf(cacheRoot, name);
  await writeFileAtomically({ path, content: JSON.stringify(staged), mode: 0o600, durability: "fast" }).catch(() => {});
}

/** The nodes of this job that have a copy; undefined if none is known. */
export async function readStagedNodes(
  cacheRoot: string,
  name: string,
  job: string | undefined,
): Promise<StagedNodes | undefined> {
  if (!job) return undefined;
  try {
    const parsed = v.safeParse(SCHEMA, JSON.parse(await readOwnText(layoutOf(cacheRoot, name).nodes) ?? ""));
    return parsed.success && parsed.output.job === job ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
