// Staging to the disks of all nodes of a job: the requests to the nodes, and the messages about their answers.
import type { Context } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { failureOf } from "./failures.ts";
import { formatFiles, formatSize } from "../text/format.ts";
import { fanOut, type FanOutAnswer, nodeWarnings, verdict } from "../slurm/fan_out.ts";
import { recordStagedNodes } from "../nodes/staged_nodes.ts";
import type { Job } from "../slurm/job.ts";
import type { Engine, Variable } from "../variables/variable.ts";
import { EMPTY_LISTS, type SyncResult } from "./sync_results.ts";

/** The request to each node besides the names of the variables. */
export interface FanOutRequest {
  readonly force: boolean;
  readonly checksum: boolean;
  /** Whether a copy of another source may be replaced. */
  readonly replace: boolean;
  /** Whether a missing file fails a variable, for any reason. The configuration may ask for it as well. */
  readonly strict: boolean;
  readonly filter: readonly string[];
  readonly engine: Engine | undefined;
}

/** A variable on the disk of this node; a redirected one has no source. */
export type FanOutVariable = Pick<Variable, "name" | "target"> & { readonly source?: string };

/** Stages to the disks of all nodes of the job, and reports each variable once. */
export async function stageOnNodes(
  variables: readonly FanOutVariable[],
  { job, cacheRoot, scratchCopies }: {
    readonly job: Job;
    readonly cacheRoot: string;
    /** When the copies on scratch were complete, in seconds since 1970. */
    readonly scratchCopies: Readonly<Record<string, number>>;
  },
  request: FanOutRequest,
  context: Context,
): Promise<SyncResult[]> {
  if (variables.length === 0) return [];
  const { force, checksum, replace, strict, filter, engine } = request;
  // The type makes the compiler ask for each new field; the request itself has more, for this process alone.
  const shared: FanOutRequest = { force, checksum, replace, strict, filter, engine };
  const vars = variables.map(({ name }) => name);
  const answer = await fanOut({
    job,
    words: ["sync"],
    request: { vars, to: "node", leg: "scratch-to-node", ...shared, scratch_copies: scratchCopies },
    options: context.configOption === undefined ? [] : ["--config", context.configOption],
  }, context.system);
  const results = variables.map((variable) => {
    const result = fanOutResult(variable, answer);
    tellFanOut(result, context);
    return result;
  });
  const nodes = answer.answers.map(({ node }) => node);
  for (const { name, target, status, part_of } of results) {
    if (status !== "synced" || part_of !== undefined) continue;
    await recordStagedNodes(cacheRoot, name, { job: job.id, nodes, target, staged_at: context.system.now() / 1000 });
  }
  return results;
}

/** The result of a variable that was staged to the disks of all nodes of a job. */
function fanOutResult({ name, source, target }: FanOutVariable, answer: FanOutAnswer): SyncResult {
  const base = { name, ...(source === undefined ? {} : { source }), tier: "node" } as const;
  const found = verdict(name, answer);
  if (found instanceof CliError) {
    return { ...base, target, status: "failed", error: failureOf(name, found), ...EMPTY_LISTS };
  }
  const ofNodes = answer.answers.flatMap(({ results }) => results.filter((result) => result.name === name));
  const sum = (count: (result: typeof ofNodes[number]) => number) =>
    ofNodes.reduce((total, result) => total + count(result), 0);
  return {
    ...base,
    target: found,
    status: source === undefined ? "redirected" : "synced",
    nodes: answer.answers.length,
    files_transferred: sum(({ files_transferred }) => files_transferred),
    bytes_transferred: sum(({ bytes_transferred }) => bytes_transferred),
    ...{ ...EMPTY_LISTS, warnings: nodeWarnings(name, answer) },
  };
}

/** Reports the variable on stderr. */
function tellFanOut({ name, ...result }: SyncResult, context: Context): void {
  if (result.status === "failed") {
    return context.report({ type: "done", subject: name, outcome: "bad", text: "not staged on all nodes" });
  }
  for (const text of result.warnings) context.report({ type: "warning", subject: name, text });
  const { nodes, files_transferred = 0, bytes_transferred = 0, status } = result;
  const what = status === "redirected"
    ? `redirected to ${result.target}`
    : files_transferred === 0
    ? "up to date"
    : `${formatFiles(files_transferred)}, ${formatSize(bytes_transferred)}`;
  const outcome = files_transferred === 0 ? "idle" : "good";
  context.report({ type: "done", subject: name, outcome, text: `on ${nodes} nodes: ${what}` });
}
