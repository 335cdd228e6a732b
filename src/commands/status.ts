// `status`: a table of the variables, with the states that a sync would find.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../contract/command.ts";
import { type ResolvedVariable, resolveNode } from "../config/resolve.ts";
import { type Tier, TIERS } from "../config/tier.ts";
import { flag, list, type RequestOf } from "../contract/fields.ts";
import { formatAge, formatFiles, formatSize, listSome } from "../text/format.ts";
import { pooledMap } from "../system/pool.ts";
import { NO_SOURCE_YET } from "../records/freshness.ts";
import { savedWarnings, unsettledFiles } from "../nodes/saved.ts";
import { readStagedNodes } from "../nodes/staged_nodes.ts";
import { redirectedTarget } from "../nodes/redirect.ts";
import { secretWarnings } from "../staging/secrets.ts";
import { type StagingSettings, stagingSettings } from "../variables/variable.ts";
import { keptWarnings } from "../staging/kept_warnings.ts";
import { outsideLinkWarnings } from "../staging/outside_links.ts";
import { NO_OUTSIDE_LINKS, OUTSIDE_LINKS_SCHEMA } from "../records/marker.ts";
import { PART_OF } from "../runs/sync_items.ts";
import type { Part } from "../variables/parts.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import { shortenMessage } from "../text/shorten.ts";
import { renderTable } from "../text/table.ts";
import { UNFINISHED_STATES } from "../status/unfinished.ts";
import { unfinishedMigrations } from "../migration/unfinished.ts";
import { type Overview, overviewVariable, type Size } from "../status/overview.ts";
import { purgeDay, unpushedWarnings } from "../staging/unpushed.ts";

const FIELDS = {
  vars: list("Show only this variable", {
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

const VARIABLE_SCHEMA = v.object({
  name: v.string(),
  source: v.string(),
  scratch: v.string(),
  tier: v.picklist(TIERS),
  part_of: PART_OF,
  /** Sizes are texts; `-` if there are no files, `?` if measuring took too long. */
  source_size: v.string(),
  scratch_size: v.string(),
  source_bytes: v.nullable(v.number()),
  scratch_bytes: v.nullable(v.number()),
  source_allocated_bytes: v.pipe(v.nullable(v.number()), v.description("On disk; null where it was not measured now")),
  scratch_allocated_bytes: v.pipe(v.nullable(v.number()), v.description("On disk; null where it was not measured now")),
  last_synced: v.string(),
  age_seconds: v.nullable(v.number()),
  status: v.picklist(["fresh", "stale", "not-synced", "source-missing", "unusable"]),
  source_exists: v.boolean(),
  reason: v.optional(v.string()),
  unfinished: v.optional(v.pipe(
    v.picklist(UNFINISHED_STATES),
    v.description("Where a copy stands that no complete sync has made yet, or a push that did not finish"),
  )),
  /** How many files have disappeared from scratch since the last transfer. */
  purged_files: v.number(),
  kept_files: v.pipe(
    v.number(),
    v.description("Files on scratch that the last sync or push left as they are though the source has other ones"),
  ),
  unpushed_files: v.pipe(
    v.nullable(v.number()),
    v.description(
      "Files that were made or changed on scratch since the last transfer; null where that is not known, or looking took too long",
    ),
  ),
  unpushed_bytes: v.nullable(v.number()),
  purge_from: v.pipe(
    v.nullable(v.string()),
    v.description("The day from which a purge by modification time takes the first of them, where the site has one"),
  ),
  different_files: v.pipe(
    v.nullable(v.number()),
    v.description("Files with other content on scratch, and the same size and time; null where that was not compared"),
  ),
  outside_links: v.pipe(OUTSIDE_LINKS_SCHEMA, v.description("Links that led out of the source at the last sync")),
});

type VariableStatus = v.InferOutput<typeof VARIABLE_SCHEMA>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("status"),
  ok: v.pipe(v.boolean(), v.description("false: asked to check, and not all is fresh, pushed and settled")),
  /** The enabled variables, in the order of the config. */
  variables: v.array(VARIABLE_SCHEMA),
  disabled: v.array(VARIABLE_SCHEMA),
  redirected: v.pipe(
    v.array(v.object({
      name: v.string(),
      tier: v.picklist(TIERS),
      target: v.pipe(v.string(), v.description("On this node, where the tier is node")),
    })),
    v.description("The enabled variables that name an empty directory of their own"),
  ),
  staged_nodes: v.pipe(
    v.array(v.object({
      name: v.string(),
      job: v.string(),
      nodes: v.array(v.string()),
      target: v.string(),
      staged_at: v.pipe(v.number(), v.description("Seconds since 1970")),
    })),
    v.description(
      "The nodes of this Slurm job whose disks have a copy, where `sync --to node` made it for all of them",
    ),
  ),
  total_scratch_usage: v.string(),
  total_scratch_bytes: v.number(),
  scratch_base: v.string(),
  cache_root: v.string(),
  config_path: v.string(),
  config: v.object({ scratch_base: v.string(), uv_cache_dir: v.string(), venv_base: v.string() }),
  warnings: v.array(v.string()),
});

type StatusAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** The time limit for measuring sizes: a table with a few `?` is better than minutes without output. */
const SIZE_BOUND_SECONDS = 10;

/** Examines all variables concurrently. */
export const status = defineCommand({
  name: "status",
  summary: "Show what is staged, how fresh it is and how much room it takes",
  description: "Sizes are the recorded ones where they are known; others are measured, for at most 10 seconds.",
  examples: [
    { command: "euler-files status", does: "The table" },
    { command: "euler-files status HF_HOME", does: "One variable only" },
    { command: "euler-files status --json", does: "The same for scripts" },
    { command: "euler-files status --measure", does: "With every size measured now" },
    { command: "euler-files status --checksum", does: "With the contents of all files compared" },
    {
      command: "euler-files status --check || euler-files push",
      does: "Ask in a script whether something is left to do",
    },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
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
  const settings = stagingSettings(resolved, "stage-in");
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
    return { status: statusOf(overview, variable.tier, settings), overview };
  });
  for (const { overview } of overviews) {
    if (overview.purged.length > 0) warn({ text: purgeWarning(overview) });
    if (overview.unreadable.length > 0) warn({ text: unknownWarning(overview) });
    for (const text of unreadableWarnings(overview)) warn({ text });
    for (const warning of unpushedWarnings(overview, settings)) warn(warning, overview.variable.name);
    if (overview.different !== undefined && overview.different.length > 0) warn({ text: differenceWarning(overview) });
    const about = [
      ...keptWarnings(overview.variable, overview.kept),
      ...outsideLinkWarnings(overview.variable, settings, overview.outside, { told: "not followed yet" }),
      ...await secretWarnings(overview.variable, overview.secrets),
    ];
    for (const warning of about) warn(warning, overview.variable.name);
    const { name, target } = overview.variable;
    const saved = await unsettledFiles(resolved.cacheRoot, name, "left out", system);
    for (const warning of savedWarnings(name, target, saved)) warn(warning, name);
  }
  const rowsOf = (isMeant: (variable: ResolvedVariable) => boolean) =>
    resolved.variables.filter(isMeant).map(({ name }) =>
      rowFor(name, partOf.get(name), overviews.map(({ status }) => status))
    );
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

/** Whether nothing is left to do; an unknown state counts as work left. */
function isSettled({ status, unpushed_files, kept_files }: VariableStatus): boolean {
  return status === "fresh" && unpushed_files === 0 && kept_files === 0;
}

/** The row of a part has the state and the size of the whole. */
function rowFor(name: string, part: Part | undefined, rows: readonly VariableStatus[]): VariableStatus {
  const row = rows.find((row) => row.name === (part?.whole.name ?? name))!;
  if (part === undefined) return row;
  const { source, target: scratch } = part.variable;
  return {
    ...{ ...row, name, source, scratch, part_of: part.whole.name, source_size: "-", scratch_size: "-" },
    ...{ source_bytes: null, scratch_bytes: null, source_allocated_bytes: null, scratch_allocated_bytes: null },
    reason: `part of ${part.whole.name}`,
    ...{ purged_files: 0, kept_files: 0, unpushed_files: 0, unpushed_bytes: 0, purge_from: null },
    outside_links: NO_OUTSIDE_LINKS,
  };
}

/** A start checks a sample of the names, which may miss purged files that the full list shows; then only --force finds them. */
function purgeWarning({ variable: { name }, purged, seenBySync }: Overview): string {
  const what = `${name}: ${formatFiles(purged.length)} gone from scratch: ${listSome(purged, 3)}`;
  return `${what} (bring back: euler-files sync ${seenBySync ? "" : "--force "}--var ${name})`;
}

/** In a directory that can't be read, purged files cannot be found. */
function unknownWarning({ variable: { name }, unreadable }: Overview): string {
  return `${name}: could not read ${listSome(unreadable, 3)}: whether files are gone from there is unknown`;
}

/** Only a person can decide which side is right. */
function differenceWarning({ variable: { name }, different = [] }: Overview): string {
  const what = `${name}: ${formatFiles(different.length)} with other content on scratch, and the same size and time: ` +
    listSome(different, 3);
  return `${what} (take the source's: euler-files sync --checksum --var ${name}; scratch's: push --checksum --var ${name})`;
}

/** A size that is too small because of unreadable directories must be marked as such. */
function unreadableWarnings({ variable: { name }, sourceSize, targetSize }: Overview): string[] {
  return [sourceSize, targetSize].flatMap((size) =>
    size.from !== "measured" || size.unreadable.length === 0
      ? []
      : [`${name}: cannot read ${listSome(size.unreadable, 3)}: what is in there is not in the size`]
  );
}

function statusOf(overview: Overview, tier: Tier, settings: StagingSettings): VariableStatus {
  const { variable, freshness, lastSync, unfinished } = overview;
  const age = lastSync.state === "known" ? lastSync.ageSeconds : undefined;
  return {
    name: variable.name,
    source: variable.source,
    scratch: variable.target,
    tier,
    source_size: sizeText(overview.sourceSize),
    scratch_size: sizeText(overview.targetSize),
    source_bytes: bytesOf(overview.sourceSize),
    scratch_bytes: bytesOf(overview.targetSize),
    source_allocated_bytes: allocatedBytesOf(overview.sourceSize),
    scratch_allocated_bytes: allocatedBytesOf(overview.targetSize),
    last_synced: age === undefined ? lastSync.state : `${formatAge(age)} ago`,
    age_seconds: age ?? null,
    status: freshness.verdict,
    source_exists: overview.source === "exists",
    ...reasonOf(overview),
    ...(unfinished === undefined ? {} : { unfinished: unfinished.state }),
    purged_files: overview.purged.length,
    kept_files: overview.kept.paths.length + overview.kept.others,
    unpushed_files: overview.unpushed?.length ?? null,
    unpushed_bytes: overview.unpushed?.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? null,
    purge_from: purgeDay(overview, settings) ?? null,
    different_files: overview.different?.length ?? null,
    outside_links: overview.outside,
  };
}

function reasonOf({ freshness, source }: Overview): { readonly reason?: string } {
  if (freshness.verdict !== "fresh") return { reason: freshness.reason };
  return source === "missing" ? { reason: `${NO_SOURCE_YET}: \`euler-files push\` makes it` } : {};
}

function sizeText(size: Size): string {
  const sizeBytes = bytesOf(size);
  if (sizeBytes === null) return size.from === "absent" ? "-" : "?";
  // A copy of a sparse file needs no more space than the original, however large its size is.
  const isSparse = size.from === "measured" && size.allocatedBytes < sizeBytes / 2;
  return formatSize(sizeBytes) + (isSparse ? ` (${formatSize(size.allocatedBytes)} on disk)` : "");
}

function bytesOf(size: Size): number | null {
  return size.from === "recorded" || size.from === "measured" ? size.sizeBytes : null;
}

function allocatedBytesOf(size: Size): number | null {
  return size.from === "measured" ? size.allocatedBytes : null;
}

function renderStatus(answer: StatusAnswer, styles: Styles): Rendered {
  const style = styles.stdout;
  const all = [...answer.variables, ...answer.disabled];
  const redirected = answer.redirected.map(({ name, target }) => `${name}: redirected to ${shortenMessage(target)}\n`)
    .join("");
  if (all.length === 0 && redirected !== "") return { stdout: redirected };
  if (all.length === 0) {
    return { stdout: "No variable is managed yet: `euler-files init` sets them up\n" };
  }
  const reasons = answer.variables.filter(({ reason }) => reason !== undefined)
    .map(({ name, reason }) => style.dim(shortenMessage(`${name}: ${reason}`)) + "\n");
  const nodes = answer.staged_nodes.map(({ name, nodes, target }) =>
    `${name}: on ${nodes.length} nodes of this job (${listSome(nodes)}): ${shortenMessage(target)}\n`
  ).join("");
  const total = `Total on scratch: ${answer.total_scratch_usage} in ${answer.cache_root}\n`;
  return { stdout: `${renderVariables(answer, style)}\n${reasons.join("")}${redirected}${nodes}${total}` };
}

const HEAD = ["Variable", "Source size", "Scratch size", "Last synced", "Status"];

/** A table, or a block of lines for each variable if the table is too wide for the terminal. */
function renderVariables({ variables, disabled }: StatusAnswer, style: Style): string {
  const plain = (text: string) => text;
  const rows = [
    ...variables.map((variable) => ({ cells: rowOf(variable), paint: plain, paintStatus: colourOf(variable, style) })),
    ...disabled.map((variable) => ({
      cells: rowOf(variable).with(-1, `disabled, ${wordsFor(variable)}`),
      paint: style.dim,
      paintStatus: style.dim,
    })),
  ];
  const uncoloured = renderTable(HEAD, rows.map(({ cells }) => cells));
  if (uncoloured.split("\n").every((line) => line.length <= style.columns)) {
    return renderTable(
      HEAD.map(style.bold),
      rows.map(({ cells, paint, paintStatus }) => cells.map((cell, index) => (index < 4 ? paint : paintStatus)(cell))),
    );
  }
  return rows.map(({ cells: [name, source, scratch, synced, status], paint, paintStatus }) =>
    `${style.bold(name!)}  ${paintStatus(status!)}\n` +
    paint(`  source ${source}, scratch ${scratch}\n  last synced ${synced}\n`)
  ).join("");
}

function rowOf(variable: VariableStatus): string[] {
  return [variable.name, variable.source_size, variable.scratch_size, variable.last_synced, wordsFor(variable)];
}

function wordsFor({ status, unfinished, unpushed_files }: VariableStatus): string {
  const unpushed = unfinished === undefined && (unpushed_files ?? 0) > 0 ? ", not pushed" : "";
  return (unfinished ?? status).replace("-", " ") + unpushed;
}

function colourOf({ status, unfinished, unpushed_files }: VariableStatus, style: Style): (text: string) => string {
  if (status === "fresh") return (unpushed_files ?? 0) > 0 ? style.yellow : style.green;
  const isBad = unfinished === undefined && (status === "not-synced" || status === "unusable");
  return isBad ? style.red : style.yellow;
}
