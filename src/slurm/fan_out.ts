// Staging to the disks of all nodes of a job: one step runs this program on each node, and each answers with what it staged. A
// variable is exported only if all nodes have all of it, at the same path.
import * as v from "valibot";
import { jsonObject } from "../config/json_object.ts";
import { CliError } from "../errors/errors.ts";
import { HEARTBEAT_VARIABLE } from "../system/silence.ts";
import type { System } from "../system/system.ts";
import { listSome } from "../text/format.ts";
import { nodesInList, runOnNodes } from "../tools/srun.ts";
import type { Job, JobPart } from "./job.ts";
import { heartbeatSeconds, NodeWatch, patienceIn } from "./node_watch.ts";

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

/** A node that did not answer. */
export interface SilentNode {
  /** Its name; undefined if it did not begin, and Slurm does not tell the names of the job's nodes. */
  readonly node: string | undefined;
  readonly reason: string;
}

/** The answers of all nodes. */
export interface FanOutAnswer {
  readonly answers: readonly NodeAnswer[];
  readonly silent: readonly SilentNode[];
  /** The last lines of stderr of srun and of its tasks, if a node did not answer. */
  readonly lines: readonly string[];
}

// We run srun with --input=none, so the request is passed as an argument and piped to the program on the node. The first line of
// the output is the name of the node.
const ON_NODE = `echo "$SLURMD_NODENAME"; request=$1; program=$2; shift 2
printf %s "$request" | "$program" "$@"`;

/** Runs the command on each node of the job. Throws a CliError if srun is missing. */
export async function fanOut({ job, words, request, options }: FanOut, system: System): Promise<FanOutAnswer> {
  const answers: NodeAnswer[] = [];
  const silent: SilentNode[] = [];
  const lines: string[] = [];
  const own = [system.executable, ...words, "--input-json", "-", "--json", ...options];
  const command = ["/bin/sh", "-c", ON_NODE, "sh", JSON.stringify(request), ...own];
  for (const part of job.parts) {
    const { texts, watch, stderr } = await runWatched(job.id, part, command, system);
    const found = new Map([...texts].flatMap(([task, text]) => {
      const answer = parseAnswer(text);
      return answer === undefined ? [] : [[task, answer] as const];
    }));
    answers.push(...found.values());
    if (found.size === part.nodes) continue;
    lines.push(...stderr.split("\n").filter((line) => line.trim() !== "").slice(-10));
    const nameOf = (task: number) => texts.get(task)?.split("\n")[0];
    const begun = [...texts.keys()].map(nameOf);
    const absent = (await nodesInList(part.list, system)).filter((node) => !begun.includes(node));
    const hanging = watch.silent();
    for (let task = 0; task < part.nodes; task++) {
      if (found.has(task)) continue;
      const seconds = hanging.get(task);
      const hasBegun = texts.has(task);
      const reason = seconds !== undefined
        ? `it has said nothing for ${seconds} s`
        : hasBegun
        ? "it ended without an answer"
        : "it did not begin";
      silent.push({ node: hasBegun ? nameOf(task) : absent.shift(), reason });
    }
  }
  const byName = (one = "", other = "") => one.localeCompare(other, "en", { numeric: true });
  answers.sort((one, other) => byName(one.node, other.node));
  silent.sort((one, other) => byName(one.node, other.node));
  return { answers, silent, lines };
}

/** Runs the command until each node has answered, or says nothing any more. Returns what the tasks wrote to stdout. */
async function runWatched(
  job: string,
  { group, nodes }: JobPart,
  command: readonly string[],
  system: System,
): Promise<{ readonly texts: ReadonlyMap<number, string>; readonly watch: NodeWatch; readonly stderr: string }> {
  const texts = new Map<number, string>();
  const patience = patienceIn(system.env);
  const watch = new NodeWatch(nodes, patience);
  const enough = new AbortController();
  const { lookSeconds } = watch;
  const looking = lookSeconds === undefined ? undefined : setInterval(() => {
    if (watch.look() === "enough") enough.abort();
  }, lookSeconds * 1000);
  try {
    const { stderr } = await runOnNodes({
      ...{ job, nodes, ...(group === undefined ? {} : { group }), command, enough: enough.signal },
      env: { [HEARTBEAT_VARIABLE]: String(heartbeatSeconds(patience)) },
      onLine(task, line, stream) {
        if (stream === "stderr") return watch.heard(task, "work");
        const before = texts.get(task);
        const text = `${before ?? ""}${line}\n`;
        texts.set(task, text);
        // A document ends with a line of its own.
        const isAnswer = line === "}" && parseAnswer(text) !== undefined;
        watch.heard(task, isAnswer ? "answer" : before === undefined ? "beginning" : "work");
      },
    }, system);
    return { texts, watch, stderr };
  } finally {
    clearInterval(looking);
  }
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
  return new CliError("refused", `Cannot export "${name}" for all nodes: its path is not the same on all nodes`, {
    lines: answers.slice(0, 2).map(({ node, exports }) => `${node}: ${exports[name]}`),
    hint: "`srun euler-files exec --to node -- COMMAND` asks each node for its own",
  });
}

/** The error that names the nodes which do not have it, with their reasons; undefined if all have it. Pure. */
export function failureOnNodes(
  name: string,
  { answers, silent, lines }: FanOutAnswer,
  isThere: (answer: NodeAnswer) => boolean,
): CliError | undefined {
  const reasons = answers.flatMap((answer) => {
    if (isThere(answer)) return [];
    const failure = answer.failures.find((failure) => failure.name === name) ?? answer.error;
    return [{ node: answer.node, message: failure?.message ?? "it gave no reason", hint: failure?.hint }];
  });
  const hanging = silent.flatMap(({ node, reason }) => node === undefined ? [] : [{ node, message: reason }]);
  const nodes = answers.length + silent.length;
  if (reasons.length + silent.length === 0) return undefined;
  const all = [...hanging, ...reasons];
  const named = all.slice(0, NAMED_NODES).map(({ node, message }) => `${node}: ${message}`);
  const more = all.length > NAMED_NODES ? [`and ${all.length - NAMED_NODES} more`] : [];
  const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
  const without = hanging.length === 0
    ? ""
    : `\`#SBATCH --exclude=${hanging.map(({ node }) => node).join(",")}\` does without ${
      hanging.length === 1 ? "that node" : "those nodes"
    }; `;
  return new CliError("transfer", `Cannot stage "${name}" on ${reasons.length + silent.length} of ${nodes} nodes`, {
    lines: [...named, ...more, ...lines],
    hint: hint ?? `${without}\`--to scratch\` needs no disks of nodes`,
  });
}
