// Staging to the disks of all nodes of a job: one step runs this program on each node, and each answers with what it staged. A
// variable is exported only if all nodes have all of it, at the same path.
import * as v from "valibot";
import { jsonObject } from "../config/json_object.ts";
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { listSome } from "../text/format.ts";
import { runOnNodes } from "../tools/srun.ts";
import type { Job } from "./job.ts";

/** The request to each node, and the command line for it. */
export interface FanOut {
  readonly job: Job;
  /** The command of this program, by its words: `sync` or `apptainer sync`. */
  readonly words: readonly string[];
  /** The request of that command on a node, as JSON. */
  readonly request: Readonly<Record<string, unknown>>;
  /** More options for it. */
  readonly options: readonly string[];
}

const ANSWER_SCHEMA = v.looseObject({
  exports: v.optional(jsonObject(v.record(v.string(), v.string())), {}),
  results: v.optional(
    v.array(v.looseObject({
      name: v.string(),
      status: v.optional(v.string()),
      target: v.optional(v.string()),
      files_transferred: v.optional(v.number(), 0),
      bytes_transferred: v.optional(v.number(), 0),
      warnings: v.optional(v.array(v.string()), []),
    })),
    [],
  ),
  failures: v.optional(
    v.array(v.looseObject({ name: v.string(), message: v.string(), hint: v.optional(v.string()) })),
    [],
  ),
  error: v.optional(v.looseObject({ message: v.string(), hint: v.optional(v.string()) })),
});

/** What one node answered. */
export interface NodeAnswer extends v.InferOutput<typeof ANSWER_SCHEMA> {
  readonly node: string;
}

/** The answers of all nodes. */
export interface FanOutAnswer {
  readonly answers: readonly NodeAnswer[];
  /** The nodes that did not answer, and what Slurm said about them. */
  readonly silent: { readonly nodes: number; readonly lines: readonly string[] };
}

// srun gives its tasks no input, so the request is an argument. The first line of the output is the name of the node.
const ON_NODE = `echo "$SLURMD_NODENAME"; request=$1; program=$2; shift 2
printf %s "$request" | "$program" "$@"`;

/** Runs the command on each node of the job. Throws a CliError if srun is missing. */
export async function fanOut({ job, words, request, options }: FanOut, system: System): Promise<FanOutAnswer> {
  const answers: NodeAnswer[] = [];
  const lines: string[] = [];
  for (const { group, nodes } of job.parts) {
    const own = [system.executable, ...words, "--input-json", "-", "--json", ...options];
    const command = ["/bin/sh", "-c", ON_NODE, "sh", JSON.stringify(request), ...own];
    const outcome = await runOnNodes(
      { job: job.id, nodes, ...(group === undefined ? {} : { group }), command },
      system,
    );
    const found = [...outcome.stdout.values()].flatMap((text) => parseAnswer(text) ?? []);
    answers.push(...found);
    if (found.length < nodes) lines.push(...outcome.stderr.trimEnd().split("\n").slice(-10));
  }
  answers.sort((one, other) => one.node.localeCompare(other.node, "en", { numeric: true }));
  return { answers, silent: { nodes: job.nodes - answers.length, lines } };
}

function parseAnswer(text: string): NodeAnswer | undefined {
  const end = text.indexOf("\n");
  try {
    const parsed = v.safeParse(ANSWER_SCHEMA, JSON.parse(text.slice(end + 1)));
    return parsed.success ? { ...parsed.output, node: text.slice(0, end) } : undefined;
  } catch {
    return undefined;
  }
}

/** The warnings of the nodes about a variable, each with the nodes that gave it. Pure. */
export function nodeWarnings(name: string, { answers }: FanOutAnswer): string[] {
  const warnings = answers.flatMap(({ node, results }) =>
    results.filter((result) => result.name === name).flatMap(({ warnings }) => warnings.map((text) => ({ node, text })))
  );
  return [...Map.groupBy(warnings, ({ text }) => text)].map(([text, from]) =>
    `${listSome(from.map(({ node }) => node))}: ${text}`
  );
}

/** How many failing nodes are named. */
const NAMED_NODES = 10;

/** The directory of a variable on all nodes, or the reason why it has none. Pure. */
export function verdict(name: string, answer: FanOutAnswer): string | CliError {
  const { answers } = answer;
  const failure = failureOnNodes(name, answer, ({ exports }) => exports[name] !== undefined);
  if (failure !== undefined) return failure;
  const targets = [...new Set(answers.map(({ exports }) => exports[name]!))];
  if (targets.length === 1) return targets[0]!;
  return new CliError("refused", `Cannot export "${name}" for all nodes: its directory has another name on each`, {
    lines: answers.slice(0, 2).map(({ node, exports }) => `${node}: ${exports[name]}`),
    hint: "`srun euler-files exec --to node -- COMMAND` asks each node for its own",
  });
}

/** The error that names the nodes which do not have it, with their reasons; undefined if all have it. Pure. */
export function failureOnNodes(
  name: string,
  { answers, silent }: FanOutAnswer,
  isThere: (answer: NodeAnswer) => boolean,
): CliError | undefined {
  const reasons = answers.flatMap((answer) => {
    if (isThere(answer)) return [];
    const failure = answer.failures.find((failure) => failure.name === name) ?? answer.error;
    return [{ node: answer.node, message: failure?.message ?? "it gave no reason", hint: failure?.hint }];
  });
  const nodes = answers.length + silent.nodes;
  if (reasons.length + silent.nodes === 0) return undefined;
  const named = reasons.slice(0, NAMED_NODES).map(({ node, message }) => `${node}: ${message}`);
  const more = reasons.length > NAMED_NODES ? [`and ${reasons.length - NAMED_NODES} more`] : [];
  const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
  return new CliError("transfer", `Cannot stage "${name}" on ${reasons.length + silent.nodes} of ${nodes} nodes`, {
    lines: [...named, ...more, ...silent.lines],
    hint: hint ?? "`--to scratch` does without the disks of the nodes",
  });
}
