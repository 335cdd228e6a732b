// `sync`: stages the variables and tells the shell where their copies are.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../contract/command.ts";
import { failuresText } from "../runs/failures.ts";
import { FALLBACKS } from "../runs/node_fallback.ts";
import { filterField, selectionWords } from "../runs/filter_field.ts";
import { choice, flag, list, object, type RequestOf } from "../contract/fields.ts";
import { TIERS } from "../config/tier.ts";
import { ENGINES } from "../variables/variable.ts";
import { renderExports } from "../shell/exports.ts";
import { chooseShell, evaluation, SHELL_NAMES, SHELLS } from "../shell/shell.ts";
import { environmentChanges } from "../runs/changed_environment.ts";
import { SYNCED_FIELDS, syncVariables } from "../runs/sync_run.ts";

const FIELDS = {
  vars: list("Sync only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    argument: "VARIABLE",
    completion: "variable",
    aliases: ["only_vars"],
  }),
  dryRun: flag("Show what would be synced, change nothing and export nothing"),
  force: flag("Compare names, sizes and times of all files even where the last sync is fresh"),
  checksum: flag("Compare what is in the files, even where their size and time are the same"),
  replace: flag("Replace a copy that was staged from another source; jobs that use it lose it"),
  to: choice(
    TIERS,
    "Stage to scratch, or by way of scratch to the disk of this node (of all nodes in the script of a job), regardless of " +
      "the configuration",
    {
      placeholder: "TIER",
    },
  ),
  fallback: choice(FALLBACKS, "Use the copy on scratch where one on the disk of a node cannot be made", {
    placeholder: "TIER",
  }),
  filter: filterField("sync"),
  strict: flag("Fail where any file is missing, also where the source itself forbids to read it"),
  engine: choice(ENGINES, "Copy with rsync or natively, regardless of the configuration", { placeholder: "ENGINE" }),
  verbose: flag("Show more of what happens on stderr, with the name of each file", { short: "-v" }),
  leg: choice(["scratch-to-node"], "Take what is on scratch as it is; for the nodes of a job, which are asked for it", {
    placement: "json-only",
  }),
  scratchCopies: object(
    v.record(v.string(), v.number()),
    "When the copies on scratch were complete, by variable, in seconds since 1970: a node that sees older ones fails",
  ),
  shell: choice(SHELL_NAMES, "Print exports for this shell; bash is right for every POSIX shell", {
    variable: "EULER_FILES_SHELL",
    placeholder: "SHELL",
  }),
};

type SyncRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("sync"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  force: v.boolean(),
  checksum: v.boolean(),
  verbose: v.boolean(),
  only_vars: v.array(v.string()),
  filter: v.pipe(v.array(v.string()), v.description("The rules of this run, in their order")),
  shell: v.picklist(SHELLS),
  ...SYNCED_FIELDS,
});

type SyncAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Stages the selected variables concurrently and answers with the exports. */
export const sync = defineCommand({
  name: "sync",
  summary: "Stage caches to scratch and print the exports to evaluate",
  description: "Progress and messages go to stderr. If a variable could not be staged, it is not exported and the " +
    "output ends with a statement that fails, so that `set -e` and `||` see it. `echo false` says the same where " +
    "the program could not be started.",
  examples: [
    { command: evaluation("sync", "bash"), does: "In a job script: everything enabled, staged and exported" },
    { command: evaluation("sync", "fish"), does: "The same in fish" },
    { command: evaluation("sync", "tcsh"), does: "The same in tcsh" },
    { command: "euler-files sync --dry-run", does: "What would be copied" },
    {
      command: "euler-files sync HF_HOME --include '/hub/models--gpt2/'",
      does: "One model only; what is on scratch besides stays there",
    },
    { command: "euler-files sync HF_HOME --force", does: "One variable, compared file by file" },
    { command: "euler-files sync --checksum", does: "After a doubt: with the contents of all files compared" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  stdoutUse: "evaluated",
  framed: true,
  run: runSync,
  render: renderSync,
});

async function runSync(request: SyncRequest, context: Context): Promise<SyncAnswer> {
  const shell = chooseShell(request.shell, context.system.env);
  const synced = await syncVariables({
    ...{ ...request, nodes: "of the job" },
    goOn: `run again to go on: \`${evaluation(`sync${selectionWords(request)}`, shell)}\``,
  }, context);
  return {
    command: "sync",
    ok: synced.failures.length === 0,
    dry_run: request.dryRun,
    force: request.force,
    checksum: request.checksum,
    verbose: request.verbose,
    only_vars: [...request.vars],
    filter: [...request.filter],
    shell,
    ...synced,
  };
}

function renderSync(answer: SyncAnswer, styles: Styles): Rendered {
  const changes = answer.dry_run ? {} : environmentChanges(answer);
  const exports = Object.entries(changes).map(([name, value]) => ({ name, value }));
  return {
    stderr: failuresText(answer.failures, styles.stderr),
    stdout: renderExports({
      exports,
      shell: answer.shell,
      outcome: answer.ok ? "succeeded" : "failed",
    }),
    ...(exports.length === 0 ? {} : { aside: notEvaluated(answer, styles.stderr) }),
  };
}

function notEvaluated({ only_vars, filter, shell }: SyncAnswer, style: Style): string {
  const words = `sync${selectionWords({ vars: only_vars, filter })}`;
  return `${style.bold(style.cyan("hint:"))} these lines take effect only when the shell runs them: ` +
    `${evaluation(words, shell)}\n`;
}
