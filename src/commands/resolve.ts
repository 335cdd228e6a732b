// `resolve`: resolves conflicts (files that changed on both sides) for the side that a person names.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { BYTES_OF_NAMES, NAMED_FILE_SCHEMA, pathFields, pathList } from "../contract/named_files.ts";
import { choice, flag, list, type RequestOf, text } from "../contract/fields.ts";
import { formatFiles, formatSize, listSome, printable, shellWord } from "../text/format.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import { type Conflict, findConflicts, needsPerson, settleConflicts, SIDES } from "../conflicts/settle.ts";
import { conflictWords, howToReplace } from "../staging/kept_warnings.ts";
import { type StagingSettings, stagingSettings, type Variable } from "../variables/variable.ts";
import type { Entry } from "../transfer/entry.ts";

const FIELDS = {
  name: text("The variable", { placement: "argument", placeholder: "NAME", required: true }),
  paths: list("Files, or directories for all that is in them; without any, all that is in conflict", {
    placement: "argument",
    placeholder: "PATH",
    restricts: true,
  }),
  take: choice(SIDES, "Whose file counts, that on scratch or that at the source", { placeholder: "SIDE" }),
  dryRun: flag("Show what is in conflict and change nothing"),
};

type ResolveRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("resolve"),
  ok: v.pipe(v.boolean(), v.description("false: something is in conflict still")),
  dry_run: v.boolean(),
  name: v.string(),
  scratch: v.string(),
  source: v.string(),
  take: v.nullable(v.picklist(SIDES)),
  resolved: v.pipe(v.array(v.string()), v.description("Files that are the same on both sides now")),
  resolved_bytes: BYTES_OF_NAMES,
  conflicts: v.pipe(v.array(NAMED_FILE_SCHEMA), v.description("Files that are in conflict still, or in a dry run")),
  kept_in: v.nullable(v.pipe(v.string(), v.description("The directory that has what was replaced"))),
  warnings: v.array(v.string()),
});

type ResolveAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

function namedConflict(conflict: Pick<Conflict, "path" | "reason">): ResolveAnswer["conflicts"][number] {
  return { ...pathFields(conflict.path), reason: conflictWords(conflict) };
}

/** Resolves conflicts of one variable. */
export const resolve = defineCommand({
  name: "resolve",
  summary: "Settle files that changed on both sides",
  description:
    "What is replaced is kept on scratch, in a directory that the command names, until you remove it or a purge " +
    "does. `--take scratch` pushes these files alone, `--take source` is a sync of the variable.",
  examples: [
    { command: "euler-files resolve HF_HOME", does: "Show what is in conflict, and ask" },
    { command: "euler-files resolve HF_HOME --take scratch", does: "Push all of it" },
    { command: "euler-files resolve HF_HOME hub/refs/main --take source", does: "One file, as it is at the source" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  ask: askWhose,
  run: runResolve,
  render: renderResolve,
});

interface Opened {
  readonly variable: Variable;
  readonly toSource: StagingSettings;
  readonly toScratch: StagingSettings;
  readonly conflicts: readonly Conflict[];
}

async function open({ name, paths }: ResolveRequest, context: Context): Promise<Opened> {
  if (name === undefined) {
    throw new CliError("usage", "Missing the name of the variable", { hint: "euler-files resolve NAME [PATH…]" });
  }
  const { resolved, variables, parts } = await openManagedVariables([name], context);
  const part = parts.find(({ variable }) => variable.name === name);
  if (part !== undefined) {
    throw new CliError("usage", `"${name}" has no copy of its own: it is a part of ${part.whole.name}`, {
      hint: `euler-files resolve ${part.whole.name}`,
    });
  }
  const variable = variables.find((one) => one.name === name);
  if (variable === undefined) {
    throw new CliError("usage", `"${name}" is redirected: it has no source, so nothing can be in conflict`);
  }
  const toSource = stagingSettings(resolved, "push");
  const all = await findConflicts(variable, toSource, context.system);
  const asked = paths.map((path) => path.replace(/^\.\//, "").replace(/\/+$/, ""));
  for (const path of asked) {
    if (all.some((one) => isWithin(one.path, path))) continue;
    throw new CliError("not-found", `"${printable(path)}" is not in conflict in ${name}`, {
      hint: all.length === 0
        ? `nothing is; \`euler-files diff ${name}\` shows what differs`
        : `in conflict: ${listSome(all.map((one) => one.path))}`,
    });
  }
  const conflicts = all.filter((one) => asked.length === 0 || asked.some((path) => isWithin(one.path, path)));
  return { variable, toSource, toScratch: stagingSettings(resolved, "stage"), conflicts };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

async function askWhose(request: ResolveRequest, context: Context): Promise<ResolveRequest> {
  if (request.take !== undefined || request.dryRun || request.name === undefined) return request;
  const { conflicts } = await open(request, context);
  if (conflicts.length === 0) return request;
  const { prompt } = context;
  prompt.note(conflicts.map(describe).join("\n"), `${formatFiles(conflicts.length)} in conflict in ${request.name}`);
  const several = conflicts.length > 1;
  const answer = await prompt.select({
    message: several ? "Whose files count?" : "Whose file counts?",
    options: [
      { value: "neither", label: several ? "Leave them as they are" : "Leave it as it is" },
      ...(several ? [{ value: "each", label: "Choose the files to settle", hint: "then whose they are" }] : []),
      ...SIDE_CHOICES,
    ],
  });
  if (answer === "neither") throw new CliError("declined", "Nothing was changed");
  if (answer !== "each") return { ...request, take: answer as "scratch" | "source" };
  const paths = await prompt.selectSeveral({
    message: "Which files? The others stay as they are; run the command again for them",
    options: conflicts.map(({ path }) => ({ value: path, label: printable(path) })),
    chosen: [],
    required: false,
  });
  if (paths.length === 0) throw new CliError("declined", "Nothing was changed");
  const take = await prompt.select({ message: "Whose are to count?", options: SIDE_CHOICES });
  return { ...request, paths, take: take as "scratch" | "source" };
}

const SIDE_CHOICES = [
  { value: "scratch", label: "That on scratch", hint: "it is pushed to the source" },
  { value: "source", label: "That at the source", hint: "it is staged to scratch" },
];

function describe(conflict: Conflict): string {
  const side = (entry: Entry | undefined) =>
    entry === undefined
      ? "nothing"
      : entry.type === "file"
      ? `${formatSize(entry.sizeBytes)}, ${new Date(entry.mtimeSeconds * 1000).toLocaleString("sv")}`
      : `a ${entry.type}`;
  return `${printable(conflict.path)} (${conflictWords(conflict)})\n` +
    `  scratch: ${side(conflict.onScratch)}\n  source:  ${side(conflict.atSource)}`;
}

async function runResolve(request: ResolveRequest, context: Context): Promise<ResolveAnswer> {
  const opened = await open(request, context);
  const { variable, conflicts } = opened;
  const { take } = request;
  const answer = {
    command: "resolve" as const,
    dry_run: request.dryRun,
    ...{ name: variable.name, scratch: variable.target, source: variable.source, take: take ?? null },
  };
  const nothing = { resolved: [], kept_in: null, warnings: [] };
  const named = conflicts.map(namedConflict);
  if (request.dryRun || conflicts.length === 0) return { ...answer, ok: true, conflicts: named, ...nothing };
  if (take === undefined) {
    throw new CliError("usage", `Cannot resolve "${variable.name}": which side counts?`, {
      lines: conflicts.slice(0, 10).flatMap((conflict) => describe(conflict).split("\n")),
      hint: "add `--take scratch` or `--take source`",
    });
  }
  const forPerson = conflicts.filter(needsPerson);
  const files = conflicts.filter((conflict) => !needsPerson(conflict));
  const warnings = forPerson.map((conflict) => ({
    text: `${printable(conflict.path)} is a directory on one side only, which a person has to settle`,
    hint: howToReplace(variable, conflict, 1),
  }));
  const { settled, left, keptIn, warnings: more } = files.length === 0
    ? { settled: [], left: [], keptIn: null, warnings: [] }
    : await settleConflicts({ ...opened, conflicts: files, take }, context.system, context.report);
  const all = [...warnings, ...more];
  for (const warning of all) context.report({ type: "warning", subject: variable.name, ...warning });
  const stillOpen = [...forPerson, ...left];
  const done = pathList([...settled]);
  return {
    ...{ ...answer, ok: stillOpen.length === 0, resolved: done.paths, kept_in: keptIn },
    ...(done.bytes === undefined ? {} : { resolved_bytes: done.bytes }),
    conflicts: stillOpen.map(namedConflict),
    warnings: all.map(({ text }) => text),
  };
}

function renderResolve(answer: ResolveAnswer, styles: Styles): Rendered {
  const { name, resolved, conflicts, kept_in, dry_run, take } = answer;
  if (resolved.length + conflicts.length === 0) return { stderr: `Nothing is in conflict in ${name}\n` };
  const lines = [
    ...(resolved.length === 0 ? [] : [
      `${formatFiles(resolved.length)} of ${name} resolved: ${listSome(resolved)}: as ` +
      `${take === "scratch" ? "on scratch" : "at the source"} now`,
    ]),
    ...(kept_in === null ? [] : [
      `What was replaced is in ${
        shellWord(kept_in)
      }: copy what you need from there before a purge takes it, or remove it`,
    ]),
    ...(conflicts.length === 0 ? [] : [
      `${formatFiles(conflicts.length)} ${dry_run ? "" : "still "}in conflict:`,
      ...conflicts.map(({ path, reason }) => `  ${printable(path)} (${reason})`),
    ]),
  ];
  const text = lines.map((line) => `${line}\n`).join("");
  return dry_run ? { stdout: text } : { stderr: conflicts.length === 0 ? text : styles.stderr.yellow(text) };
}
