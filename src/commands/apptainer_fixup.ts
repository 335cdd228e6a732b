// `euler-files apptainer fixup`: makes moved environments work at their current path.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { CliError, knownError } from "../errors/errors.ts";
import { countOf } from "../contract/answer_fields.ts";
import { FAILURE_SCHEMA, failureOf, failuresText, RESULT_ERROR } from "../runs/failures.ts";
import { flag, text } from "../contract/fields.ts";
import { formatFiles } from "../text/format.ts";
import { lockVenv, readConfigIfThere, resolveVenvBase, venvPath } from "../venv/base.ts";
import { kernelspecWarnings } from "../venv/kernelspecs.ts";
import { applyRelocation, planRelocation } from "../venv/relocate.ts";
import { listVenvs, readVenv, type Venv } from "../venv/venv.ts";

const fields = {
  venvName: text("Fix only this environment; all below the venv base if not given", {
    placement: "argument",
    placeholder: "VENV_NAME",
    completion: "environment",
  }),
  dryRun: flag("Show what would be fixed"),
};

const result = v.object({
  name: v.string(),
  status: v.picklist(["fixed", "already-correct", "failed"]),
  error: RESULT_ERROR,
  fixed_files: countOf("Files that were changed; in a dry run those that would be"),
  files: v.pipe(v.array(v.string()), v.description("The files, relative to the environment")),
  warnings: v.pipe(v.array(v.string()), v.description("Jupyter kernels that still start the Python at the old path")),
});

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("apptainer-fixup"),
  dry_run: v.boolean(),
  venv_name: v.nullable(v.string()),
  results: v.array(result),
  failures: v.array(FAILURE_SCHEMA),
});

type FixupAnswer = Answer & v.InferOutput<typeof answer>;
type Result = v.InferOutput<typeof result>;

export default defineCommand({
  name: "apptainer fixup",
  summary: "Fix the paths inside environments that were moved",
  description: "Rewrites launchers, activate scripts, pyvenv.cfg, .pth files and the like that name another path. " +
    "Running it again changes nothing.",
  examples: [
    { command: "euler-files apptainer fixup", does: "All environments below the venv base" },
    { command: "euler-files apptainer fixup my-ml-env --dry-run", does: "What one of them needs" },
  ],
  fields,
  answer,
  async run(request, { system, configOption, report }): Promise<FixupAnswer> {
    const config = await readConfigIfThere(configOption, system);
    const base = resolveVenvBase({ option: undefined, config }, system);
    const venvs = request.venvName === undefined
      ? await listVenvs(base)
      : [await oneVenv(venvPath(base, request.venvName), request.venvName)];
    const results: Result[] = [];
    const failures: v.InferOutput<typeof FAILURE_SCHEMA>[] = [];
    for (const venv of venvs) {
      system.signal.throwIfAborted();
      try {
        const deadline = config?.config.lock_timeout_seconds ?? 300;
        await using _lock = request.dryRun
          ? undefined
          : await lockVenv(venv.path, deadline, system, (text) => report({ type: "note", subject: venv.name, text }));
        const [result, kernels] = await fixOne(venv, request.dryRun ? "plan" : "apply", system);
        results.push(result);
        for (const warning of kernels) report({ type: "warning", subject: venv.name, ...warning });
      } catch (error) {
        const known = knownError(`Cannot fix "${venv.name}"`, error);
        if (known === undefined) throw error;
        const failure = failureOf(venv.name, known);
        failures.push(failure);
        results.push({ name: venv.name, status: "failed", error: failure, fixed_files: 0, files: [], warnings: [] });
      }
    }
    const ok = failures.length === 0;
    return {
      ok,
      command: "apptainer-fixup",
      dry_run: request.dryRun,
      venv_name: request.venvName ?? null,
      results,
      failures,
    };
  },
  render(answer, { stderr: style }) {
    const verb = answer.dry_run ? "would fix" : "fixed";
    const lines = answer.results.filter((one) => one.status !== "failed").map((one) =>
      one.status === "fixed"
        ? `${one.name}: ${verb} ${formatFiles(one.fixed_files)}\n${
          one.files.map((file) => style.dim(`  ${file}`) + "\n").join("")
        }`
        : `${one.name}: already correct\n`
    );
    if (answer.results.length === 0) lines.push("There are no environments to fix\n");
    return { stderr: lines.join("") + failuresText(answer.failures, style) };
  },
});

async function oneVenv(path: string, name: string): Promise<Venv> {
  const venv = await readVenv(path);
  if (venv !== undefined) return venv;
  throw new CliError("not-found", `Cannot find the environment "${name}" at "${path}"`, {
    hint: "`euler-files venv list` lists those that exist",
  });
}

async function fixOne(
  venv: Venv,
  mode: "plan" | "apply",
  { env }: Context["system"],
): Promise<[Result, Awaited<ReturnType<typeof kernelspecWarnings>>]> {
  const relocation = await planRelocation(venv.path, venv.path);
  const files = relocation.changes.map((change) => change.path);
  if (mode === "apply") {
    const failed = await applyRelocation(relocation);
    if (failed.length > 0) {
      throw new CliError("file-system", `Cannot fix ${formatFiles(failed.length)} of "${venv.name}"`, {
        lines: failed.map(({ path, error }) => `${path}: ${error}`),
        hint: "make them writable and run it again",
      });
    }
  }
  const kernels = await kernelspecWarnings(relocation.former, venv.path, env);
  const status = files.length === 0 ? "already-correct" : "fixed";
  return [{
    name: venv.name,
    status,
    fixed_files: files.length,
    files,
    warnings: kernels.map(({ text, hint }) => `${text}; ${hint}`),
  }, kernels];
}
