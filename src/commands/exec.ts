// `exec`: stages the variables, runs a program with them set, and pushes when it ends. It needs no eval in a shell.
import * as v from "valibot";
import { COUNT } from "../contract/answer_fields.ts";
import { type Answer, type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { CliError, Interrupted, knownError } from "../errors/errors.ts";
import { summarize } from "../runs/summary.ts";
import { failureOf, failuresText } from "../runs/failures.ts";
import { TIERS } from "../config/tier.ts";
import { FALLBACKS } from "../runs/node_fallback.ts";
import { choice, flag, list, type RequestOf, words } from "../contract/fields.ts";
import { listSome } from "../text/format.ts";
import { PUSH_RESULT_SCHEMA, type Pushed, pushVariables } from "../runs/push_run.ts";
import { commandLine } from "../shell/quote.ts";
import { takeTaskLock } from "../nodes/task_share.ts";
import { environmentChanges } from "../runs/changed_environment.ts";
import { SYNCED_FIELDS, syncVariables } from "../runs/sync_run.ts";
import { catchEarlySignals, earlySignalText } from "../system/early_signals.ts";
import type { SharedLock } from "../system/shared_use.ts";
import { findCommand, runCommand } from "../tools/program.ts";

const FIELDS = {
  vars: list("Stage only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    completion: "variable",
  }),
  to: choice(
    TIERS,
    "Stage to scratch, or by way of scratch to the disk of this node, regardless of the configuration",
    {
      placeholder: "TIER",
    },
  ),
  fallback: choice(FALLBACKS, "Use the copy on scratch where one on the disk of this node cannot be made", {
    placeholder: "TIER",
  }),
  push: flag("Push what changed when the command has ended, also after SIGTERM, a time limit or scancel"),
  program: words("The command to run; put -- before it", {
    placement: "argument",
    placeholder: "COMMAND",
    required: true,
  }),
};

type ExecRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("exec"),
  ok: v.boolean(),
  only_vars: v.array(v.string()),
  program: v.pipe(v.array(v.string()), v.description("The command and its arguments")),
  ...SYNCED_FIELDS,
  program_exit_code: v.optional(
    v.pipe(COUNT, v.description("What the command ended with; missing where it was not started")),
  ),
  exit_code: v.optional(
    v.pipe(
      COUNT,
      v.description(
        "What this command ends with: that of the program, or 1 if only the push failed or left a conflict",
      ),
    ),
  ),
  push: v.pipe(
    v.picklist(["not-asked", "not-needed", "pushed", "left-to-last-task", "failed"]),
    v.description("left-to-last-task: another task of this step on this node still runs, and pushes at its end"),
  ),
  pushed: v.pipe(v.array(PUSH_RESULT_SCHEMA), v.description("The results of the push")),
});

type ExecAnswer = Answer & v.InferOutput<typeof ANSWER_SCHEMA>;

/** Stages, runs, pushes. */
export const exec = defineCommand({
  name: "exec",
  summary: "Stage caches and run a command with them",
  description:
    "The command gets the variables of `sync` in its environment, and stdin, stdout and the signals that arrive. " +
    "If a variable could not be staged, it is not started. Ends with the exit code of the command, 128 and the number " +
    "of a signal that ended it; with 1 if only the push failed or left a conflict.\n\n" +
    "In a Slurm step all tasks of a node share the copies, and the last one to end pushes. SIGTERM does not stop a push, " +
    "since Slurm sends it to all processes of a job; Ctrl-C does.",
  examples: [
    { command: "euler-files exec -- python train.py", does: "In a job script: everything enabled, staged and set" },
    {
      command: "srun euler-files exec --push -- python train.py",
      does: "Each task of a step; the last on a node pushes",
    },
    { command: "euler-files exec --var HF_HOME -- bash", does: "A shell with one variable" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runExec,
  render: renderExec,
});

async function runExec(request: ExecRequest, context: Context): Promise<ExecAnswer> {
  const [name, ...args] = request.program;
  if (name === undefined) {
    throw new CliError("usage", "Missing the command", { hint: "euler-files exec -- COMMAND" });
  }
  const { system } = context;
  const program = await findCommand(name, system);
  using _early = catchEarlySignals(
    system,
    (signal) => context.report({ type: "warning", text: earlySignalText(signal) }),
  );
  const run = {
    vars: request.vars,
    dryRun: false,
    force: false,
    checksum: false,
    filter: [],
    engine: undefined,
    verbose: false,
  } as const;
  // Taken before the work begins: a task that ends early must see that other tasks are still staging.
  using share = request.push ? await takeTaskLock(system) : undefined;
  const synced = await syncVariables({
    ...run,
    to: request.to,
    fallback: request.fallback,
    replace: false,
    strict: false,
    nodes: "own",
    leg: undefined,
    scratchCopies: undefined,
    goOn: "run it again to go on",
  }, context);
  const base = { command: "exec" as const, only_vars: [...request.vars], program: [...request.program], ...synced };
  if (synced.failures.length > 0) return { ...base, ok: false, push: "not-needed", pushed: [] };

  // From here on we react to no signal but a Ctrl-C that stops the push: Slurm sends SIGTERM to the program and to us.
  let phase: "command" | "push" = "command";
  using _signals = system.handOverSignals((signal) => phase === "push" && signal === "SIGINT" ? "left" : "taken");
  const programExitCode = await runCommand({
    program,
    args,
    env: environmentChanges(synced),
    stdout: context.wantsDocument ? "stderr" : "stdout",
  }, system);
  phase = "push";
  const { push, pushed } = await pushAtEnd(
    share,
    programExitCode,
    () => pushVariables({ ...run, from: request.to }, context),
    context,
  );
  const failures = [...synced.failures, ...pushed?.failures ?? []];
  const exitCode = programExitCode === 0 && push === "failed" ? 1 : programExitCode;
  return {
    ...base,
    ok: exitCode === 0,
    errors: [...synced.errors, ...pushed?.errors ?? []],
    failures,
    warnings: [...new Set([...synced.warnings, ...pushed?.warnings ?? []])],
    program_exit_code: programExitCode,
    exit_code: exitCode,
    push,
    pushed: pushed?.results ?? [],
  };
}

async function pushAtEnd(
  share: SharedLock | undefined,
  programExitCode: number,
  pushAll: () => Promise<Pushed>,
  { report }: Context,
): Promise<{ readonly push: ExecAnswer["push"]; readonly pushed?: Pushed }> {
  if (share === undefined) return { push: "not-asked" };
  const ended = `the command has ended with ${programExitCode}`;
  if (share.release() === "others remain") {
    report({ type: "note", text: `${ended}; the last task of this node pushes` });
    return { push: "left-to-last-task" };
  }
  report({ type: "note", text: `${ended}; pushing` });
  try {
    const pushed = await pushAll();
    return { push: pushed.failures.length === 0 ? "pushed" : "failed", pushed };
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    // The program has ended; its exit code is ours, even if the push fails.
    const known = knownError("Cannot push", error);
    if (known === undefined) throw error;
    const failures = [failureOf("push", known)];
    return {
      push: "failed",
      pushed: { results: [], summary: summarize([], 1, 0), errors: [known.message], failures, warnings: [] },
    };
  }
}

function renderExec(answer: ExecAnswer, styles: Styles): Rendered {
  const style = styles.stderr;
  const failed = failuresText(answer.failures, style);
  if (answer.program_exit_code !== undefined) return { stderr: failed };
  const names = listSome(answer.failures.map(({ name }) => name));
  const line = `Cannot start \`${commandLine(answer.program)}\`: ${names} could not be staged`;
  return { stderr: `${failed}${style.bold(style.red("error:"))} ${line}\n` };
}
