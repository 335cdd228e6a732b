// `status`: a table of the variables, with the states that a sync would find.
import { type Context, defineCommand } from "../contract/command.ts";
import { type ResolvedVariable, resolveNode } from "../config/resolve.ts";
import { flag, list, type RequestOf } from "../contract/fields.ts";
import { formatSize } from "../text/format.ts";
import { pooledMap } from "../system/pool.ts";
import { savedWarnings, unsettledFiles } from "../nodes/saved.ts";
import { cutOffWarnings } from "../pushing/cut_off.ts";
import { readStagedNodes } from "../nodes/staged_nodes.ts";
import { redirectedTarget } from "../nodes/redirect.ts";
import { knownError } from "../errors/errors.ts";
import { type StagingSettings, stagingSettings, type Variable } from "../variables/variable.ts";
import type { System } from "../system/system.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import { unfinishedMigrations } from "../migration/unfinished.ts";
import { detailsOf } from "../status/details.ts";
import { overviewVariable } from "../status/overview.ts";
import { renderStatus } from "../status/status_text.ts";
import { isSettled, rowFor, STATUS_SCHEMA, type StatusAnswer, statusOf } from "../status/status_answer.ts";
import { overviewWarnings } from "../status/warnings.ts";

const FIELDS = {
  vars: list("Tell all that is known of this variable", {
    flag: "--var",
    placeholder: "NAME",
    argument: "VARIABLE",
    completion: "variable",
    aliases: ["only_vars"],
  }),
  measure: flag("Measure all sizes now instead of showing the recorded ones"),
  checksum: flag("Compare what is in the files of source and scratch, however long that takes"),
  check: flag("End with 1 unless each variable is fresh and nothing is left to push or to settle"),
};

type StatusRequest = RequestOf<typeof FIELDS>;

/** The time limit for measuring sizes: a table with a few `?` is better than minutes without output. */
const SIZE_BOUND_SECONDS = 10;

/** Examines all variables concurrently. */
export const status = defineCommand({
  name: "status",
  summary: "Show what is staged, how fresh it is and how much space it takes",
  description: "Sizes are the recorded ones where they are known; others are measured, for at most 10 seconds.",
  examples: [
    { command: "euler-files status", does: "The table" },
    { command: "euler-files status HF_HOME", does: "All that is known of one variable" },
    { command: "euler-files status --json", does: "The same for scripts" },
    { command: "euler-files status --measure", does: "With every size measured now" },
    { command: "euler-files status --checksum", does: "With the contents of all files compared" },
    {
      command: "euler-files status --check || euler-files push",
      does: "Ask in a script whether something is left to do",
    },
  ],
  fields: FIELDS,
  answer: STATUS_SCHEMA,
  run: runStatus,
  render: renderStatus,
});

async function runStatus(request: StatusRequest, context: Context): Promise<StatusAnswer> {
  const { system } = context;
  const { config, resolved, variables, redirected, parts, warnings: mismatches } = await openManagedVariables(
    request.vars,
    context,
  );
  const warnings: string[] = [];
  const warn = ({ text, hint }: { readonly text: string; readonly hint?: string }, subject?: string) => {
    const about = subject === undefined ? "" : `${subject}: `;
    warnings.push(hint === undefined ? `${about}${text}` : `${about}${text} (${hint})`);
    context.report({ type: "warning", text, ...(subject === undefined ? {} : { subject }), ...(hint ? { hint } : {}) });
  };
  for (const mismatch of mismatches) warn(mismatch);
  for (const { message } of resolved.unresolved) warn({ text: message });
  for (const migration of await unfinishedMigrations(config, resolved.path)) warn(migration);
  const settings = stagingSettings(resolved, "stage");
  const sizes = request.measure ? "measured" : "recorded";
  const partOf = new Map(parts.map((part) => [part.variable.name, part]));
  // The whole of a selected part is examined although it is not selected itself.
  const wholes = variables.filter(({ name }) => parts.some(({ whole }) => whole.name === name));
  const copied = [...new Set([...resolved.variables.filter(({ name }) => !partOf.has(name)), ...wholes])];
  const overviews = await pooledMap(copied, 16, async (variable) => {
    const overview = await overviewVariable({
      ...{ variable, settings, sizes, boundSeconds: SIZE_BOUND_SECONDS },
      contents: request.checksum ? "compare" : "by time",
    }, system);
    const details = request.vars.length === 0 ? {} : { details: detailsOf(overview, settings, system.env) };
    return { status: { ...statusOf(overview, variable.tier, settings), ...details }, overview };
  });
  for (const { overview } of overviews) {
    for (const { text, hint, subject } of await overviewWarnings(overview, settings)) {
      warn({ text, ...(hint === undefined ? {} : { hint }) }, subject);
    }
    const { name } = overview.variable;
    for (const warning of await nodeWarnings(overview.variable, settings, system)) warn(warning, name);
  }
  const looked = { rows: overviews.map(({ status }) => status), env: system.env };
  const rowsOf = (isMeant: (variable: ResolvedVariable) => boolean) =>
    resolved.variables.filter(isMeant).map(({ name }) => rowFor(name, partOf.get(name), looked));
  const enabledRows = rowsOf(({ enabled }) => enabled);
  const total = overviews.reduce((sum, { status }) => sum + (status.scratch_bytes ?? 0), 0);
  return {
    command: "status",
    ok: !request.check || enabledRows.every(isSettled),
    variables: enabledRows,
    disabled: rowsOf(({ enabled }) => !enabled),
    staged_nodes: (await Promise.all(copied.map(async ({ name }) => {
      const staged = await readStagedNodes(resolved.cacheRoot, name, system.env.SLURM_JOB_ID);
      return staged === undefined ? [] : [{ name, ...staged }];
    }))).flat(),
    redirected: redirected.map(({ name, tier }) => {
      const root = tier === "scratch"
        ? resolved.cacheRoot
        : resolveNode(config, resolved, system.env, system.userId).root;
      return { name, tier, target: redirectedTarget(root, name) };
    }),
    total_scratch_usage: formatSize(total),
    total_scratch_bytes: total,
    scratch_base: resolved.scratchBase,
    cache_root: resolved.cacheRoot,
    config_path: resolved.path,
    config: {
      scratch_base: config.scratch_base,
      uv_cache_dir: config.uv_cache_dir ?? "",
      venv_base: config.apptainer?.venv_base ?? "",
    },
    warnings,
  };
}

/** The warnings about what nodes have saved. What cannot be looked at is one of them, since the rest of the answer is true. */
async function nodeWarnings(
  variable: Variable,
  settings: StagingSettings,
  system: System,
): Promise<readonly { readonly text: string; readonly hint?: string }[]> {
  const { name, target } = variable;
  try {
    const saved = await unsettledFiles(settings.cacheRoot, name, "left out", system);
    return [...savedWarnings(name, target, saved), ...await cutOffWarnings({ variable, settings }, system)];
  } catch (error) {
    const known = knownError("Cannot look at what nodes have saved", error);
    if (known === undefined) throw error;
    return [{ text: known.message, ...(known.hint === undefined ? {} : { hint: known.hint }) }];
  }
}
