// Pushes the selected variables concurrently and collects the results: the work of `push`, which `exec --push` also
// does after a program has ended.
import { type Tier, TIERS } from "../config/tier.ts";
import * as v from "valibot";
import type { Context } from "../contract/command.ts";
import { type NodeDisk, type ResolvedVariable, resolveNode } from "../config/resolve.ts";
import { type CliError, Interrupted } from "../errors/errors.ts";
import { FAILURE_SCHEMA, failureOf, RESULT_ERROR } from "./failures.ts";
import { NAMED_FILE_SCHEMA, namedFiles } from "../contract/named_files.ts";
import { roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { summarize, SUMMARY_SCHEMA } from "./summary.ts";
import { filterRules, selectionWords } from "./filter_field.ts";
import { formatCount, formatDuration, formatFiles, formatSize } from "../text/format.ts";
import { openManagedVariables } from "./managed_variables.ts";
import { MOVED_FILES_FIELDS, movedFields, tellMoved } from "./moved_files.ts";
import { mapInOrder } from "../system/pool.ts";
import { type Part, PART_OF, refuseRulesForPart } from "../variables/parts.ts";
import { planned, TRANSFERRED_FIELDS } from "./sync_results.ts";
import { variablesAtOnce } from "../posix/handles.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { onNode } from "../nodes/node_disk.ts";
import { planPush, type PushPlan, type PushRequest, type PushResult, pushVariable } from "../pushing/push.ts";
import { mergeSavedPushes, removeSettled } from "../pushing/merge_saved.ts";
import { changesAmong, incompleteError } from "../pushing/push_errors.ts";
import { planPushFromNode, pushFromNode } from "../pushing/push_from_node.ts";
import { type Engine, stagingSettings, type Variable } from "../variables/variable.ts";
import type { KeptPath, MissingPath, TransferOutcome, TransferPlan } from "../transfer/transfer.ts";

/** Which variables to push, and how. */
export interface PushRun {
  /** Empty: all that are enabled. */
  readonly vars: readonly string[];
  readonly dryRun: boolean;
  /** Whether everything is pushed into a source that held files and is now empty or missing. */
  readonly force: boolean;
  readonly checksum: boolean;
  readonly filter: readonly string[];
  readonly engine: Engine | undefined;
  readonly verbose: boolean;
  /** The tier to push from; undefined: the tier of each variable. */
  readonly from: Tier | undefined;
}

/** A variable's result in the answer. */
export const PUSH_RESULT_SCHEMA = v.pipe(
  v.object({
    name: v.string(),
    tier: v.pipe(
      v.picklist(TIERS),
      v.description("From where; what is pushed from a node goes to scratch, and from there to the source"),
    ),
    scratch: v.pipe(v.string(), v.description("The copy that is pushed")),
    source: v.pipe(v.string(), v.description("Where to")),
    part_of: PART_OF,
    status: v.pipe(
      v.picklist(["pushed", "incomplete", "dry-run", "scratch-missing", "failed"]),
      v.description(
        "`incomplete`: files could not be pushed, see `missing`, or changes were left on scratch because the source " +
          "has others, see `kept`; these, `failed` and a dry run that finds such have an `error`",
      ),
    ),
    error: RESULT_ERROR,
    engine: v.optional(v.string()),
    ...TRANSFERRED_FIELDS,
    seconds: v.optional(secondsOf("How long the transfer took")),
    kept: v.pipe(v.array(NAMED_FILE_SCHEMA), v.description("Files that were left unchanged at the source, and why")),
    missing: v.pipe(v.array(NAMED_FILE_SCHEMA), v.description("Files that were not pushed, and why")),
    ...MOVED_FILES_FIELDS,
    warnings: v.array(v.string()),
  }),
  v.title("PushResult"),
);

/** The results of the variables, as fields of an answer. */
export const PUSHED_FIELDS = {
  results: v.array(PUSH_RESULT_SCHEMA),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
};

const PUSHED_SCHEMA = v.object(PUSHED_FIELDS);

/** See {@linkcode PUSHED_FIELDS}. */
export type Pushed = v.InferOutput<typeof PUSHED_SCHEMA>;

/** Pushes the selected variables, or plans it, and reports each. Throws the errors of `openManagedVariables`. */
export async function pushVariables(request: PushRun, context: Context): Promise<Pushed> {
  const { system } = context;
  const { config, resolved, variables, parts, redirected, warnings } = await openManagedVariables(
    request.vars,
    context,
  );
  refuseRulesForPart(parts, request.vars, request.filter);
  if (variables.length + redirected.length === 0) {
    context.report({ type: "note", text: "no variable is enabled, so there is nothing to push" });
  }
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  for (const { name } of redirected) {
    context.report({
      ...{ type: "done", subject: name, outcome: "idle", text: "redirected, nothing to push", inOne: "redirected" },
    });
  }
  const settings = stagingSettings(resolved, "push", {
    names: request.verbose ? "collect" : "count",
    engine: request.engine,
    filter: filterRules(request.filter),
    contents: request.checksum ? "compare" : "by time",
  });
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const isFromNode = ({ tier }: ResolvedVariable) => (request.from ?? tier) === "node";
  const node = variables.some(isFromNode) ? resolveNode(config, resolved, system.env, system.userId) : undefined;
  const from = request.from === undefined ? "" : ` --from ${request.from}`;
  const all = [...variables, ...parts.map(({ variable }) => variable)];
  context.report({ type: "subjects", names: all.map(({ name }) => name) });
  const emptySource = request.force ? "push" : "refuse";
  const started = performance.now();
  const items = await mapInOrder(
    { items: variables, width: variablesAtOnce(resolved.parallelJobs) },
    async (variable) => {
      const how: PushRequest = { variable, settings, emptySource };
      if (!request.dryRun) await removeSettled(how, system, context.report);
      const first = node !== undefined && isFromNode(variable) ? [await pushNodePart(how, node, request, context)] : [];
      if (!request.dryRun) await mergeSavedPushes(how, system, context.report);
      const outcome = request.dryRun ? await planPush(how, system) : await pushVariable(how, system, context.report);
      return [...first, { variable, tier: "scratch", outcome } satisfies PushItem];
    },
    (_variable, done) => {
      for (const item of done) tell(item, request.verbose ? "all" : "some", context);
      return done;
    },
  ).then((done) => done.flat()).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: request.dryRun
        ? "nothing was changed"
        : `what was pushed is complete, and all is still on ${node === undefined ? "scratch" : "this node"}`,
      hint: `run \`euler-files push${from}${selectionWords(request)}\` again to go on`,
    });
  });
  for (const { variable, whole } of parts) {
    const text = `part of ${whole.name}`;
    context.report({ type: "done", subject: variable.name, outcome: "idle", text, inOne: "part of another" });
  }
  context.report({ type: "told" });
  const failures = items.flatMap(({ variable, outcome }) => {
    const error = errorOf(outcome);
    return error === undefined ? [] : [failureOf(variable.name, error)];
  });
  const results = items.flatMap((item) => resultOf(item, request));
  const seconds = request.dryRun ? undefined : (performance.now() - started) / 1000;
  return {
    results: [...results, ...parts.flatMap((part) => partResult(part, results))],
    summary: summarize(results, failures.length, seconds),
    errors: failures.map(({ name, message }) => `${name}: ${message}`),
    failures,
    warnings: warnings.map(({ text }) => text),
  };
}

interface PushItem {
  readonly variable: Variable;
  readonly tier: Tier;
  readonly outcome: PushPlan | PushResult;
}

async function pushNodePart(
  request: PushRequest,
  node: NodeDisk,
  { dryRun }: PushRun,
  context: Context,
): Promise<PushItem> {
  const outcome = dryRun
    ? await planPushFromNode(request, node, context.system)
    : await pushFromNode(request, node, context.system, context.report);
  return { variable: onNode(request.variable, node), tier: "node", outcome };
}

function errorOf(outcome: PushPlan | PushResult): CliError | undefined {
  if (outcome.status === "failed") return outcome.error;
  return outcome.status === "scratch-missing" ? undefined : incompleteError(outcome.incomplete, outcome.unpushed);
}

function resultOf({ variable, tier, outcome }: PushItem, { verbose }: PushRun): Pushed["results"] {
  const base = { name: variable.name, tier, scratch: variable.target, source: variable.source };
  const listed = ({ kept, missing }: { kept: readonly KeptPath[]; missing: readonly MissingPath[] }) => ({
    kept: namedFiles(kept),
    missing: namedFiles(missing),
  });
  switch (outcome.status) {
    case "failed": {
      const error = failureOf(variable.name, outcome.error);
      return [{ ...base, status: "failed", error, kept: [], missing: [], warnings: [] }];
    }
    case "scratch-missing":
      return [{ ...base, status: "scratch-missing", kept: [], missing: [], warnings: [] }];
    case "would-push": {
      const { plan } = outcome;
      const incomplete = errorOf(outcome);
      return [{
        ...base,
        status: "dry-run",
        ...(incomplete === undefined ? {} : { error: failureOf(variable.name, incomplete) }),
        engine: plan.engine,
        ...planned(plan.filesToTransfer, plan.bytesToTransfer),
        ...listed({ kept: plan.kept, missing: plan.unreadable }),
        ...movedFields({ transferred: plan.transfers }),
        warnings: outcome.warnings.map(({ text }) => text),
      }];
    }
    case "pushed": {
      const incomplete = errorOf(outcome);
      return [{
        ...base,
        status: incomplete === undefined ? "pushed" : "incomplete",
        ...(incomplete === undefined ? {} : { error: failureOf(variable.name, incomplete) }),
        engine: outcome.outcome.engine,
        files_transferred: outcome.outcome.filesTransferred,
        bytes_transferred: outcome.outcome.bytesTransferred,
        seconds: roundSeconds(outcome.outcome.seconds),
        ...listed(outcome.outcome),
        ...(verbose ? movedFields({ transferred: outcome.outcome.transferred }) : {}),
        warnings: outcome.warnings.map(({ text }) => text),
      }];
    }
  }
}

/** The part's result, which is that of the whole. */
function partResult({ variable, whole }: Part, results: Pushed["results"]): Pushed["results"] {
  const found = results.find((result) => result.name === whole.name && result.tier === "scratch");
  if (found === undefined) return [];
  const { status, tier, error } = found;
  const { name, target: scratch, source } = variable;
  return [{
    name,
    tier,
    scratch,
    source,
    part_of: whole.name,
    status,
    ...(error === undefined ? {} : { error }),
    kept: [],
    missing: [],
    warnings: [],
  }];
}

function tell({ variable, tier, outcome }: PushItem, names: "all" | "some", context: Context): void {
  const subject = variable.name;
  const where = tier === "node" ? "from this node: " : "";
  if (outcome.status === "failed") {
    return context.report({ type: "done", subject, outcome: "bad", text: `${where}not pushed` });
  }
  if (outcome.status === "scratch-missing") {
    return context.report({
      ...{ type: "done", subject, outcome: "idle", text: NOTHING_THERE[tier], inOne: `with ${NOTHING_THERE[tier]}` },
    });
  }
  for (const warning of outcome.warnings) context.report({ type: "warning", subject, ...warning });
  const text = outcome.status === "pushed" ? describePushed(outcome.outcome, tier) : describePlan(outcome.plan, tier);
  const mark = errorOf(outcome) !== undefined
    ? "bad"
    : outcome.status === "pushed" && outcome.outcome.filesTransferred > 0
    ? "good"
    : "idle";
  const inOne = text === NOTHING_NEW[tier] && outcome.warnings.length === 0 && mark !== "bad"
    ? { inOne: `with ${tier === "node" ? "nothing new on this node" : text}` }
    : {};
  context.report({ type: "done", subject, outcome: mark, text: where + text, ...inOne });
  if (outcome.status === "would-push") {
    tellMoved({ transferred: outcome.plan.transfers }, names, subject, context.report);
  } else if (names === "all") tellMoved({ transferred: outcome.outcome.transferred }, names, subject, context.report);
}

const NOTHING_THERE = { scratch: "nothing on scratch", node: "nothing on this node" };
const NOTHING_NEW = { scratch: "nothing new on scratch", node: "nothing new" };

function describePushed(outcome: TransferOutcome, tier: Tier): string {
  const { filesTransferred, bytesTransferred, seconds, engine, missing, kept } = outcome;
  const left = describeLeft(kept, missing);
  if (filesTransferred === 0 && missing.length === 0) return left === "" ? NOTHING_NEW[tier] : `0 files pushed${left}`;
  const moved = `${formatFiles(filesTransferred)}, ${formatSize(bytesTransferred)} pushed`;
  return `${moved}${left} in ${formatDuration(seconds)} (${engine})`;
}

function describePlan(
  { filesToTransfer, bytesToTransfer, engine, unreadable, kept }: TransferPlan,
  tier: Tier,
): string {
  const left = describeLeft(kept, unreadable);
  if (filesToTransfer === 0 && left === "") return NOTHING_NEW[tier];
  return `${formatFiles(filesToTransfer)}, ${formatSize(bytesToTransfer)} would be pushed${left} (${engine})`;
}

function describeLeft(kept: readonly KeptPath[], missing: readonly MissingPath[]): string {
  const conflicts = kept.filter(isConflict).length;
  const others = missing.length + changesAmong(kept).length - conflicts;
  return (others === 0 ? "" : `, ${formatFiles(others)} not pushed`) +
    (conflicts === 0 ? "" : `, ${formatCount(conflicts)} in conflict`);
}
