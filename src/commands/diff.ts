// `diff`: which files differ between scratch and the source, and on which side they changed.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../contract/command.ts";
import { FAILURE_SCHEMA, failureOf, failuresText, RESULT_ERROR } from "../runs/failures.ts";
import { NAME_BYTES, NAMED_FILE_SCHEMA, namedFiles, pathFields } from "../contract/named_files.ts";
import { bytesOf, timeOf } from "../contract/answer_fields.ts";
import { flag, list, type RequestOf } from "../contract/fields.ts";
import { formatCount, formatFiles, formatSize, formatTime, printable } from "../text/format.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import { mapInOrder } from "../system/pool.ts";
import { variablesAtOnce } from "../posix/handles.ts";
import { CHANGES, type Difference, type Differences, findDifferences, SIDES } from "../conflicts/differences.ts";
import { conflictWords } from "../staging/kept_warnings.ts";
import { stagingSettings, type Variable } from "../variables/variable.ts";
import { textWidth } from "../text/shorten.ts";
import { renderTable } from "../text/table.ts";
import type { Entry } from "../transfer/entry.ts";

const FIELDS = {
  vars: list("The variables, even disabled ones; without any, all that are enabled", {
    placement: "argument",
    placeholder: "NAME",
  }),
  checksum: flag("Compare what is in the files, even where their size and time are the same"),
  verbose: flag("Name all files, not the first 20", { short: "-v" }),
};

type DiffRequest = RequestOf<typeof FIELDS>;

const FILE_SCHEMA = v.object({
  path: v.pipe(v.string(), v.description("Relative to both directories")),
  path_bytes: NAME_BYTES,
  side: v.pipe(v.picklist(SIDES), v.description("Where it changed since the last transfer")),
  change: v.pipe(
    v.picklist(CHANGES),
    v.description(
      "`gone`: no longer on scratch, the next sync brings it; `conflict`: neither sync nor push settles it, `resolve` does",
    ),
  ),
  reason: v.optional(v.pipe(v.string(), v.description("Why it is in conflict, where sync or push says so"))),
  scratch_bytes: v.nullable(bytesOf("The file on scratch, null if there is none")),
  source_bytes: v.nullable(bytesOf("The file at the source, null if there is none")),
  scratch_modified: v.nullable(timeOf("When the file on scratch was changed")),
  source_modified: v.nullable(timeOf("When the file at the source was changed")),
});

const RESULT_SCHEMA = v.object({
  name: v.string(),
  scratch: v.string(),
  source: v.string(),
  status: v.pipe(
    v.picklist(["same", "different", "unknown", "scratch-missing", "failed"]),
    v.description("`unknown`: no difference was found, and not all could be read; `failed` has an `error`"),
  ),
  error: RESULT_ERROR,
  files: v.array(FILE_SCHEMA),
  unreadable: v.pipe(
    v.array(NAMED_FILE_SCHEMA),
    v.description("Directories of either side that could not be read: nothing is known of what is in them"),
  ),
});

const ANSWER_SCHEMA = v.object({
  command: v.literal("diff"),
  ok: v.pipe(v.boolean(), v.description("false: something failed, or could not be read")),
  checksum: v.boolean(),
  results: v.array(RESULT_SCHEMA),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
});

type DiffAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;
type DiffFile = v.InferOutput<typeof FILE_SCHEMA>;

/** Compares scratch and source. */
export const diff = defineCommand({
  name: "diff",
  summary: "Show which files differ between scratch and the source, and where they changed",
  description: "Every name on both sides is compared; nothing is changed.",
  examples: [
    { command: "euler-files diff", does: "What sync and push would have to do" },
    { command: "euler-files diff HF_HOME --verbose", does: "Every file of one variable" },
    { command: "euler-files diff --json", does: "The same for scripts, with sizes and times of both sides" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runDiff,
  render: renderDiff,
});

async function runDiff({ vars, checksum }: DiffRequest, context: Context): Promise<DiffAnswer> {
  const { resolved, variables, warnings } = await openManagedVariables(vars, context);
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  const how = { contents: checksum ? "compare" : "by time" } as const;
  const settings = {
    toSource: stagingSettings(resolved, "push", how),
    toScratch: stagingSettings(resolved, "stage", how),
  };
  const found = await mapInOrder(
    { items: variables, width: variablesAtOnce(resolved.parallelJobs) },
    async (variable) => ({ variable, differences: await findDifferences({ variable, ...settings }, context.system) }),
    (_variable, done) => done,
  );
  const results = found.map(({ variable, differences }) => resultOf(variable, differences));
  const failures = results.flatMap(({ error }) => error ?? []);
  return {
    command: "diff",
    ok: failures.length === 0 && results.every(({ unreadable }) => unreadable.length === 0),
    checksum,
    results,
    failures,
    warnings: warnings.map(({ text }) => text),
  };
}

function resultOf(
  { name, target: scratch, source }: Variable,
  differences: Differences,
): DiffAnswer["results"][number] {
  switch (differences.state) {
    case "failed": {
      const error = failureOf(name, differences.error);
      return { name, scratch, source, status: "failed", error, files: [], unreadable: [] };
    }
    case "nothing-on-scratch":
      return { name, scratch, source, status: "scratch-missing", files: [], unreadable: [] };
    case "compared": {
      const files = differences.files.map(fileOf);
      const unreadable = namedFiles(differences.unreadable);
      const status = files.length > 0 ? "different" : unreadable.length > 0 ? "unknown" : "same";
      return { name, scratch, source, status, files, unreadable };
    }
  }
}

function fileOf({ path, side, change, reason, onScratch, atSource }: Difference): DiffFile {
  return {
    ...{ ...pathFields(path), side, change },
    ...(reason === undefined ? {} : { reason: conflictWords({ reason }) }),
    scratch_bytes: onScratch?.sizeBytes ?? null,
    source_bytes: atSource?.sizeBytes ?? null,
    scratch_modified: modified(onScratch),
    source_modified: modified(atSource),
  };
}

function modified(entry: Entry | undefined): number | null {
  return entry === undefined ? null : entry.mtimeSeconds + entry.mtimeNanoseconds / 1e9;
}

/** How many files of a variable are listed without `--verbose`. */
const LISTED_FILES = 20;

/** The description of a conflict without a more precise reason. */
const BOTH = "changed on both sides";

function renderDiff(answer: DiffAnswer, styles: Styles, { verbose }: DiffRequest): Rendered {
  const shown = verbose ? Infinity : LISTED_FILES;
  const stdout = answer.results.map((result) => renderResult(result, shown, styles.stdout)).join("\n");
  return { stdout, stderr: failuresText(answer.failures, styles.stderr) };
}

function renderResult(result: DiffAnswer["results"][number], shown: number, style: Style): string {
  const lines = result.unreadable.map(({ path, reason }) => `  not read: ${printable(path)} (${reason})\n`);
  return renderFiles(result, shown, style) + lines.join("");
}

function renderFiles({ name, status, files }: DiffAnswer["results"][number], shown: number, style: Style): string {
  if (status === "unknown") return `${style.bold(name)}  no difference found, and not all could be read\n`;
  if (status === "same") return `${style.bold(name)}  the same on both sides\n`;
  if (status === "scratch-missing") return `${style.bold(name)}  nothing on scratch\n`;
  const rows = files.slice(0, shown).map((file) => [
    `  ${file.side}`,
    file.reason === undefined || file.reason === BOTH ? file.change : `${file.change}: ${file.reason}`,
    sizes(file),
    times(file),
    printable(file.path),
  ]);
  const more = files.length - rows.length;
  const table = renderTable(["  Where", "What", "Size", "Modified", "File"], rows);
  const isNarrow = table.split("\n").some((line) => textWidth(line) > style.columns);
  return `${style.bold(name)}  ${formatFiles(files.length)} not the same\n${isNarrow ? renderBlocks(rows) : table}` +
    (more > 0 ? `  and ${formatCount(more)} more, all of them with --verbose\n` : "");
}

/** A few lines for each file, where the table is wider than the terminal. */
function renderBlocks(rows: readonly (readonly string[])[]): string {
  return rows.map(([side, what, size, modified, path]) =>
    `  ${path}\n  ${side}, ${what}, ${size}\n    modified ${modified}\n`
  ).join("");
}

/** The sizes of a file; of a conflict both sides, scratch first, as in `Where`. */
function sizes({ side, scratch_bytes, source_bytes }: DiffFile): string {
  const one = (sizeBytes: number | null) => sizeBytes === null ? "-" : formatSize(sizeBytes);
  if (side === "both") return `${one(scratch_bytes)} / ${one(source_bytes)}`;
  return one(side === "scratch" ? scratch_bytes : source_bytes ?? scratch_bytes);
}

function times({ side, scratch_modified, source_modified }: DiffFile): string {
  const one = (seconds: number | null) => seconds === null ? "-" : formatTime(seconds);
  if (side === "both") return `${one(scratch_modified)} / ${one(source_modified)}`;
  return one(side === "scratch" ? scratch_modified : source_modified ?? scratch_modified);
}
