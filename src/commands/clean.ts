// `clean`: removes copies from scratch, and files that earlier commands kept aside there.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { bytesOf, COUNT, countOf } from "../contract/answer_fields.ts";
import { FAILURE_SCHEMA, failureOf, failuresText, RESULT_ERROR } from "../runs/failures.ts";
import { flag, list, type RequestOf } from "../contract/fields.ts";
import { formatCount, formatFiles, formatSize, listSome } from "../text/format.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { commandLine } from "../shell/quote.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import {
  type Cleanable,
  CLEANABLE_KINDS,
  findCleanable,
  holdsUnpushed,
  removeCleanable,
  removeOrphans,
} from "../staging/clean.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { stagingSettings } from "../variables/variable.ts";
import { renderTable } from "../text/table.ts";

const FIELDS = {
  vars: list("Remove the copies of these variables, configured or not", {
    placement: "argument",
    placeholder: "VARIABLE",
    completion: "variable",
    restricts: true,
  }),
  force: flag("Remove what was not pushed or was kept aside, too"),
  dryRun: flag("Show what would be removed, and its size"),
  yes: flag("Do not ask", { short: "-y" }),
};

type CleanRequest = RequestOf<typeof FIELDS>;

const RESULT_SCHEMA = v.object({
  name: v.string(),
  kind: v.pipe(
    v.picklist(CLEANABLE_KINDS),
    v.description(
      "`unfinished`: a first copy that was never completed; `kept-aside`: what `resolve` or another source replaced, or a node could not push; `redirected`: the directory of a " +
        "redirected variable",
    ),
  ),
  path: v.string(),
  configured: v.boolean(),
  files: countOf("Files in it"),
  size_bytes: bytesOf("What is in it"),
  unpushed_files: v.pipe(
    v.nullable(COUNT),
    v.description("Files that exist only here; null where that is not known"),
  ),
  status: v.pipe(
    v.picklist(["removed", "dry-run", "kept", "failed"]),
    v.description(
      "`kept`: it holds files that were not pushed, or may hold some, and --force was not given; `failed` has an `error`",
    ),
  ),
  error: RESULT_ERROR,
});

const ANSWER_SCHEMA = v.object({
  command: v.literal("clean"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  results: v.array(RESULT_SCHEMA),
  freed_bytes: bytesOf("What was removed, in a dry run what would be"),
  failures: v.array(FAILURE_SCHEMA),
});

type CleanAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Removes copies. */
export const clean = defineCommand({
  name: "clean",
  summary: "Remove copies from scratch that are not needed any more",
  description:
    "Considers, without a name, the directories of variables that are no longer configured and what was kept aside. A copy " +
    "with files that were not pushed, and what was kept aside, stay unless --force is given; the sources are never touched.",
  examples: [
    { command: "euler-files clean --dry-run", does: "What could go, with sizes" },
    { command: "euler-files clean TORCH_HOME --yes", does: "The copy of one variable; the next sync stages it again" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  ask: askFirst,
  run: runClean,
  render: renderClean,
});

type Looked = Parameters<typeof findCleanable>[0];

/** Where to look for what can be removed. */
async function whereToLook({ vars }: CleanRequest, context: Context): Promise<Looked> {
  const { resolved, redirected } = await openManagedVariables([], context);
  const settings = stagingSettings(resolved, "push");
  const configured = [...resolved.variables, ...resolved.others];
  return { settings, configured, names: vars, redirected: redirected.map(({ name }) => name) };
}

/** Finds what can be removed. Changes nothing. */
async function look(looked: Looked, { system }: Context): Promise<readonly Cleanable[]> {
  const { settings, configured, names } = looked;
  const found = await findCleanable(looked, system);
  const unknown = names.filter((name) =>
    !found.some((one) => one.name === name) && !configured.some((one) => one.name === name)
  );
  if (unknown.length > 0) {
    throw new CliError("usage", `There is no copy of ${listSome(unknown)} in "${settings.cacheRoot}"`, {
      hint: "`euler-files status` shows what is staged",
    });
  }
  return found;
}

/** Removes what a killed `clean` left: copies that were renamed, and records without a copy. Nothing is asked about these. */
async function removeLeftOvers(looked: Looked, { system }: Context): Promise<void> {
  await sweepDirectory(looked.settings.cacheRoot, ["removing"]);
  await removeOrphans(looked, system);
}

async function askFirst(request: CleanRequest, context: Context): Promise<CleanRequest> {
  if (request.dryRun || request.yes) return request;
  const found = await look(await whereToLook(request, context), context);
  const going = found.filter((one) => request.force || !holdsUnpushed(one));
  if (going.length === 0) return { ...request, yes: true };
  context.prompt.note(going.map(describe).join("\n"), "To be removed from scratch");
  const yes = await context.prompt.confirm({ message: "Remove them? Jobs that use them lose them.", initial: false });
  if (!yes) throw new CliError("declined", "Nothing was removed");
  return { ...request, yes };
}

function describe({ path, files, sizeBytes }: Cleanable): string {
  return `${path}: ${formatFiles(files)}, ${formatSize(sizeBytes)}`;
}

async function runClean(request: CleanRequest, context: Context): Promise<CleanAnswer> {
  const looked = await whereToLook(request, context);
  // First, since what a killed run left may be all that there is of a name.
  if (request.yes && !request.dryRun) await removeLeftOvers(looked, context);
  const found = await look(looked, context);
  const going = found.filter((one) => request.force || !holdsUnpushed(one));
  if (going.length > 0 && !request.dryRun && !request.yes) {
    throw new CliError("refused", "Cannot remove anything without a confirmation", {
      lines: going.map(describe),
      hint: "add --yes, or --dry-run to see more",
    });
  }
  const problems = new Map<string, CliError>();
  for (const one of request.dryRun ? [] : going) {
    const problem = await removeCleanable(
      { ...looked, cleanable: one, unpushed: request.force ? "remove it" : "keep it" },
      context.system,
      context.report,
    );
    if (problem !== undefined) problems.set(one.path, new CliError("file-system", problem, { hint: "run it again" }));
  }
  for (const { name, path } of request.dryRun ? [] : going) {
    if (problems.has(path) || context.system.env[name] !== path) continue;
    const hint = `\`eval "$(euler-files unload ${name})"\` gives it the value from before`;
    context.report({ type: "warning", text: `${name} in this shell still names what was removed`, hint });
  }
  const statusOf = (one: Cleanable) =>
    !going.includes(one) ? "kept" : problems.has(one.path) ? "failed" : request.dryRun ? "dry-run" : "removed";
  const results = found.map((one): CleanAnswer["results"][number] => {
    const problem = problems.get(one.path);
    return {
      ...{ name: one.name, kind: one.kind, path: one.path, configured: one.isConfigured, files: one.files },
      ...{ size_bytes: one.sizeBytes, unpushed_files: one.unpushed, status: statusOf(one) },
      ...(problem === undefined ? {} : { error: failureOf(one.path, problem) }),
    };
  });
  const isGone = ({ status }: CleanAnswer["results"][number]) => status === "removed" || status === "dry-run";
  return {
    command: "clean",
    ok: problems.size === 0 && (request.vars.length === 0 || results.every(isGone)),
    dry_run: request.dryRun,
    results,
    freed_bytes: results.filter(isGone).reduce((sum, { size_bytes }) => sum + size_bytes, 0),
    failures: [...problems].map(([path, error]) => failureOf(path, error)),
  };
}

const NOTES = {
  "copy": "",
  "unfinished": " (unfinished)",
  "kept-aside": " (kept aside)",
  "redirected": " (redirected)",
} as const;

const WORDS = {
  "removed": "removed",
  "dry-run": "would be removed",
  "kept": "stays",
  "failed": "could not be removed",
} as const;

function renderClean(
  { results, freed_bytes, dry_run, failures }: CleanAnswer,
  styles: Styles,
  { vars }: CleanRequest,
): Rendered {
  if (results.length === 0) return { stderr: "Nothing to clean\n" };
  const rows = results.map(({ kind, path, files, size_bytes, unpushed_files, status }) => [
    splitAbsolute(path)[1] + NOTES[kind],
    formatCount(files),
    formatSize(size_bytes),
    kind !== "copy" ? "-" : unpushed_files === null ? "unknown" : formatCount(unpushed_files),
    WORDS[status],
  ]);
  const kept = results.filter(({ status }) => status === "kept");
  const table = renderTable(["Copy", "Files", "Size", "Not pushed", ""], rows);
  const sum = `${formatSize(freed_bytes)} ${dry_run ? "would be freed" : "freed"}\n`;
  const isPushable = kept.some(({ kind, configured }) => kind === "copy" && configured);
  // A variable's name that this request does not have would take its live copy, too.
  const again = commandLine(["euler-files", "clean", ...vars, "--force"]);
  const advice = kept.length === 0
    ? ""
    : `${styles.stderr.bold(styles.stderr.cyan("hint:"))} ${isPushable ? "push first (`euler-files push`), or " : ""}` +
      `look what is in ${listSome(kept.map(({ path }) => splitAbsolute(path)[1]))}; ` +
      `\`${again}\` removes it\n`;
  const stderr = advice + failuresText(failures, styles.stderr);
  return dry_run ? { stdout: table + sum, stderr } : { stderr: table + sum + stderr };
}
