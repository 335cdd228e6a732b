// `migrate`: moves a cache or one of the configured directories to another directory, and the configuration with it.
import * as v from "valibot";
import { bytesOf, COUNT, countOf, roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { flag, type RequestOf, text } from "../contract/fields.ts";
import { formatFiles, formatSize, shellWord } from "../text/format.ts";
import { journalPath, readJournal } from "../migration/journal.ts";
import { isLockFile } from "../migration/locks.ts";
import { migrate as runMigration } from "../migration/migrate.ts";
import { checkMigration, type MigrationPlan, type MigrationRequest, planMigration } from "../migration/plan.ts";
import type { TransferPlan } from "../transfer/transfer.ts";
import { findStaleLines } from "../migration/rc_files.ts";
import { DIRECTORY_FIELDS, findDirectory, isOnScratch, listDirectories, type Settings } from "../migration/target.ts";

const FIELDS = {
  what: text(`What to move: a variable, or ${DIRECTORY_FIELDS.join(", ")}`, {
    placement: "argument",
    placeholder: "WHAT",
    completion: "variable",
  }),
  to: text("Where to", { placeholder: "PATH", completion: "directory", aliases: ["to_path", "new_path"] }),
  dryRun: flag("Check everything and show what would be done"),
  noDelete: flag("Keep the old directory", { aliases: ["keep_old"] }),
  yes: flag("Do not ask", { short: "-y" }),
};

type MigrateRequest = RequestOf<typeof FIELDS>;

const STALE_LINE_SCHEMA = v.object({
  file: v.string(),
  line: countOf("From 1"),
  text: v.string(),
  change_to: v.string(),
});

const ANSWER_SCHEMA = v.object({
  command: v.literal("migrate"),
  ok: v.pipe(v.boolean(), v.description("false: the migration is done, but the old directory could not be deleted")),
  dry_run: v.boolean(),
  keep_old: v.boolean(),
  what: v.string(),
  target_type: v.picklist(["var", "apptainer", "scratch"]),
  status: v.picklist(["migrated", "dry-run"]),
  old_path: v.string(),
  new_path: v.string(),
  moved_from: v.pipe(v.string(), v.description("The directory that moves; for scratch_base the cache root below it")),
  moved_to: v.string(),
  deleted_old: v.boolean(),
  old_kept_at: v.nullable(v.pipe(v.string(), v.description("Where the old directory is, if it is still there"))),
  resumed: v.pipe(v.boolean(), v.description("An interrupted migration was taken up")),
  files: v.optional(
    countOf("Files in the directory; missing if only the old one was left"),
  ),
  bytes: v.optional(bytesOf("What is in the directory")),
  files_to_copy: v.optional(countOf("Files that are not in the new directory yet")),
  bytes_to_copy: v.optional(bytesOf("What is not in the new directory yet")),
  files_copied: v.optional(
    countOf("Files this run copied; missing if nothing was left to copy"),
  ),
  bytes_copied: v.optional(bytesOf("What this run copied")),
  seconds: v.optional(secondsOf("How long it took to copy and compare")),
  engine: v.optional(v.picklist(["rsync", "native"])),
  rewritten: v.pipe(
    v.array(v.object({ name: v.string(), files: COUNT })),
    v.description("Environments whose files name the directory they are in"),
  ),
  inner_links: v.pipe(
    COUNT,
    v.description("Links by absolute path into the directory itself, which are made to lead to the new path"),
  ),
  rc_files: v.pipe(v.array(STALE_LINE_SCHEMA), v.description("Lines that still name the old directory")),
  warnings: v.array(v.string()),
});

type MigrateAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Moves one directory. */
export const migrate = defineCommand({
  name: "migrate",
  summary: "Move a cache or another configured directory to a new directory",
  description:
    "Copies, compares, switches the configuration, and deletes the old directory only if it is still the same. " +
    "Interrupted at any point, the same command goes on where it was.",
  examples: [
    { command: "euler-files migrate HF_HOME --to /cluster/project/me/huggingface", does: "Move one cache" },
    {
      command: "euler-files migrate venv_base --to /new/venvs --dry-run",
      does: "Whether it would work, and what it would do",
    },
    {
      command: "euler-files migrate HF_HOME --to /new/hf --no-delete --yes",
      does: "Without questions; the old copy stays",
    },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  ask: askMigrate,
  run: runMigrate,
  render: renderMigrate,
});

async function readSettings(context: Context): Promise<Settings> {
  const { env, cwd } = context.system;
  const path = configPath({ config: context.configOption }, env, cwd);
  const { config } = await readConfig(path, env);
  return { config, path, env, cwd };
}

async function askMigrate(request: MigrateRequest, context: Context): Promise<MigrateRequest> {
  const { prompt } = context;
  const settings = await readSettings(context);
  const what = request.what ?? await prompt.select({
    message: "What should be moved?",
    options: listDirectories(settings).map(({ what, value }) => ({ value: what, label: what, hint: value })),
  });
  const { value } = findDirectory(what, settings);
  const begun = await readJournal(await journalPath(settings.path, what));
  const to = request.to ?? begun?.new_path ?? await prompt.text({
    message: `Where to? It is in ${value}`,
    check: (answer) => answer.trim() === "" ? "a directory is needed" : undefined,
  });
  const asked = { ...request, what, to };
  if (request.yes || request.dryRun) return asked;
  const { move, warnings } = await checkMigration({ what, to, oldDirectory: directoryAfter(request) }, settings);
  if (warnings.length > 0) prompt.note(warnings.join("\n"), "Look out");
  const answer = await prompt.select({
    message: `Move ${what} from ${move.from} to ${move.to}?`,
    options: [
      { value: "keep", label: "Yes, and keep the old directory" },
      ...(request.noDelete
        ? []
        : [{ value: "delete", label: "Yes, and delete the old directory when all is checked" }]),
      { value: "no", label: "No" },
    ],
  });
  if (answer === "no") throw new CliError("declined", "Nothing was moved");
  return { ...asked, noDelete: answer === "keep", yes: true };
}

async function runMigrate(request: MigrateRequest, context: Context): Promise<MigrateAnswer> {
  const { system } = context;
  const warnings: string[] = [];
  const report: Report = (event) => {
    if (event.type === "warning") warnings.push(event.text);
    context.report(event);
  };
  const wanted = migrationRequest(request);
  const settings = await readSettings(context);
  if (!request.yes && !request.dryRun) {
    // Report any other error first, because it would also occur with --yes.
    await checkMigration(wanted, settings);
    throw new CliError("usage", `Cannot ask whether to migrate ${wanted.what}: there is no terminal`, {
      hint: "add --yes; `--dry-run` shows what would be done",
    });
  }
  if (request.dryRun) {
    const plan = await planMigration(wanted, settings, system);
    for (const text of plan.warnings) report({ type: "warning", subject: wanted.what, text });
    return { ...await answerFor(plan, settings), status: "dry-run", dry_run: true, ok: true, warnings };
  }
  const { plan, copied, old } = await runMigration(wanted, settings, system, report);
  for (const warning of old.warnings) report({ type: "warning", subject: wanted.what, ...warning });
  return {
    ...await answerFor(plan, settings),
    status: "migrated",
    dry_run: false,
    ok: !old.failed,
    ...(copied === undefined ? {} : {
      files_copied: copied.files,
      bytes_copied: copied.bytes,
      seconds: roundSeconds(copied.seconds),
      engine: copied.engine,
    }),
    deleted_old: old.deleted,
    old_kept_at: old.keptAt ?? null,
    warnings,
  };
}

function migrationRequest(request: MigrateRequest): MigrationRequest {
  if (request.what === undefined) {
    throw new CliError("usage", "Cannot tell what to migrate: WHAT was not given", {
      hint: "write `euler-files migrate HF_HOME --to PATH`, with the name of a variable or directory",
    });
  }
  return { what: request.what, to: request.to, oldDirectory: directoryAfter(request) };
}

function directoryAfter({ noDelete }: MigrateRequest): "keep" | "delete" {
  return noDelete ? "keep" : "delete";
}

const NO_LOCKS = { files: 0, sizeBytes: 0 };

function lockFilesIn({ directories }: TransferPlan): { readonly files: number; readonly sizeBytes: number } {
  const root = directories.find(({ directory }) => directory === "");
  const locks = (root?.transfers ?? []).filter(({ name }) => isLockFile(name));
  return { files: locks.length, sizeBytes: locks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

type PlanAnswer = Omit<MigrateAnswer, "status" | "dry_run" | "ok" | "warnings">;

async function answerFor(plan: MigrationPlan, { env }: Settings): Promise<PlanAnswer> {
  const { directory, destination, journal } = plan;
  const copy = plan.kind === "copy" ? plan.copy : undefined;
  const rewrites = copy?.rewrites ?? [];
  // A dry run takes no locks, so they are not counted.
  const locks = directory.kind === "variable" || copy === undefined ? NO_LOCKS : lockFilesIn(copy.transfer);
  const oldPath = journal?.old_path ?? directory.value;
  return {
    command: "migrate",
    what: directory.what,
    target_type: directory.kind === "variable" ? "var" : isOnScratch(directory.kind) ? "scratch" : "apptainer",
    keep_old: plan.oldDirectory === "keep",
    old_path: oldPath,
    new_path: destination.value,
    moved_from: plan.move.from,
    moved_to: plan.move.to,
    deleted_old: false,
    old_kept_at: plan.move.from,
    resumed: journal !== undefined,
    ...(copy === undefined ? {} : {
      files: copy.transfer.filesTotal - locks.files,
      bytes: copy.transfer.bytesTotal - locks.sizeBytes,
      files_to_copy: copy.transfer.filesToTransfer - locks.files,
      bytes_to_copy: copy.transfer.bytesToTransfer - locks.sizeBytes,
    }),
    rewritten: rewrites.flatMap(({ environment, changes }) =>
      environment === undefined ? [] : [{ name: environment, files: changes.length }]
    ),
    inner_links: rewrites.find(({ environment }) => environment === undefined)?.changes.length ?? 0,
    rc_files: await findStaleLines(oldPath, destination.value, env),
  };
}

function renderMigrate(answer: MigrateAnswer, { stderr: style }: Styles): Rendered {
  const { what, moved_from: from, moved_to: to } = answer;
  // Files in the old scratch outside the cache root are not ours.
  const others = (stay: string) =>
    from === answer.old_path ? [] : [`Other files in "${answer.old_path}" ${stay} there.`];
  const size = answer.files === undefined ? "" : `, ${formatFiles(answer.files)}, ${formatSize(answer.bytes ?? 0)}`;
  const lines: string[] = [];
  if (answer.dry_run) {
    lines.push(
      `Would move ${style.bold(what)}${size}`,
      `  from ${from}`,
      `  to   ${to}`,
      answer.keep_old
        ? "The old directory would be kept."
        : `The old directory "${from}" would be deleted, if it is still the same then.`,
      ...others("would stay"),
    );
  } else {
    lines.push(`Moved ${style.bold(what)}${size}`, `  from ${from}`, `  to   ${to}`);
    if (answer.deleted_old) lines.push(`The old directory "${from}" is deleted.`, ...others("stay"));
    else if (answer.old_kept_at !== null) lines.push(`The old directory is in ${answer.old_kept_at}`);
  }
  for (const { name, files } of answer.rewritten) lines.push(`  ${name}: ${formatFiles(files)} with paths to fix`);
  if (answer.rc_files.length > 0) lines.push("", "Change these lines, which still name the old directory:");
  for (const { file, line, text, change_to } of answer.rc_files) {
    lines.push(
      `  ${shellWord(file)}:${line}`,
      style.red(`    - ${text.trim()}`),
      style.green(`    + ${change_to.trim()}`),
    );
  }
  return { stderr: lines.join("\n") + "\n" };
}
