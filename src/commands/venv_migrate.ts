// `euler-files venv migrate`: reinstalls one environment at another path, from its frozen package list.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { resolvePath } from "../config/paths.ts";
import { formatPackages } from "../text/format.ts";
import { CliError } from "../errors/errors.ts";
import { flag, flagOff, list, text } from "../contract/fields.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { commandLine } from "../shell/quote.ts";
import type { System } from "../system/system.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { findUv, uvMissing } from "../tools/uv.ts";
import { readConfigIfThere, resolveUvCache, resolveVenvBase } from "../venv/base.ts";
import { removeRebuilt } from "../venv/carry.ts";
import { kernelspecWarnings } from "../venv/kernelspecs.ts";
import { planRebuild, rebuild, type RebuildRequest, type Rebuilt } from "../venv/rebuild.ts";
import { differenceFailures, FAILURE_SCHEMA, failureOf } from "../runs/failures.ts";
import { describeRebuild, REBUILD_ENTRIES } from "../venv/rebuild_answer.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  source: text("The environment, a path", {
    placement: "argument",
    placeholder: "SOURCE",
    required: true,
    completion: "directory",
  }),
  target: text("Where to make it again, a path", {
    placement: "argument",
    placeholder: "TARGET",
    required: true,
    completion: "directory",
  }),
  python: text("Python version or interpreter; that of the source if not given", { placeholder: "PYTHON" }),
  uvCacheDir: text("uv's cache directory", { placeholder: "DIR" }),
  indexUrl: text("Package index to use instead of PyPI", { placeholder: "URL" }),
  extraIndexUrls: list("Package index to use besides", { flag: "--extra-index-url", placeholder: "URL" }),
  verify: flagOff("Compare the package lists afterwards"),
  overwriteTarget: flag("Replace an environment that is at the target"),
  deleteSource: flag("Remove the source when the lists are the same"),
  deleteOwnFiles: flag("Delete files, too, that no package brought and that are not copied to the target"),
  allowCopy: flag("Let uv copy files from a cache on another file system"),
  dryRun: flag("Show what would be done"),
};

const answer = v.object({
  ok: v.boolean(),
  command: v.literal("venv-migrate"),
  ...REBUILD_ENTRIES,
  failures: v.array(FAILURE_SCHEMA),
});

type MigrateAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "venv migrate",
  summary: "Make an environment again in another directory",
  description:
    "Installs the source's exact package list into a new environment and compares the two. The target gets its " +
    "name when it is right; what was there stays until then.",
  examples: [
    { command: "euler-files venv migrate ~/venvs/ml /cluster/work/me/venvs/ml", does: "Make it again there" },
    {
      command: "euler-files venv migrate ~/venvs/ml ~/venvs/ml312 --python 3.12",
      does: "The same packages, another Python",
    },
  ],
  fields,
  answer,
  async ask(request, context) {
    const source = request.source ?? await askSource(context);
    if (source === undefined) return request;
    const target = request.target ?? await context.prompt.text({ message: "Where should it be made again?" });
    return { ...request, source, target };
  },
  async run(request, context): Promise<MigrateAnswer> {
    const { system, report } = context;
    if (request.source === undefined || request.target === undefined) {
      throw new CliError("usage", `Missing the ${request.source === undefined ? "source" : "target"}`, {
        hint: "euler-files venv migrate SOURCE TARGET",
      });
    }
    if (request.deleteSource && !request.verify) {
      throw new CliError(
        "usage",
        "Cannot use --delete-source with --no-verify: an error in the target would go unnoticed",
      );
    }
    const config = await readConfigIfThere(context.configOption, system);
    const resolve = (path: string, label: string) =>
      resolvePath(path, system.env, system.cwd, { label, kind: "usage" });
    const uvCacheDir = resolveUvCache(request.uvCacheDir, config, system);
    const rebuilding = {
      source: resolve(request.source, "SOURCE"),
      target: resolve(request.target, "TARGET"),
      python: request.python,
      uvCacheDir,
      indexUrl: request.indexUrl,
      extraIndexUrls: request.extraIndexUrls,
      verify: request.verify,
      existing: request.overwriteTarget ? "overwrite" : "refuse",
      acrossFileSystems: request.allowCopy ? "copy" : "refuse",
      ownFiles: request.deleteOwnFiles ? "delete" : "keep",
      replacingCommand: commandLine([
        ...[
          "euler-files",
          "venv",
          "migrate",
          request.source,
          request.target,
          "--overwrite-target",
          "--delete-own-files",
        ],
        ...(request.deleteSource ? ["--delete-source"] : []),
      ]),
      mode: request.dryRun ? "dry-run" : "run",
      lockTimeoutSeconds: config?.config.lock_timeout_seconds ?? 300,
    } as const;
    const uv = await findUv(system, true);
    if (uv === undefined) throw uvMissing();
    // A killed removal has renamed the source: the plan then finds none, and the rest would never be deleted.
    if (request.deleteSource && !request.dryRun) await sweepDirectory(splitAbsolute(rebuilding.source)[0]);
    const plan = await planRebuild(rebuilding, uv, system);
    const hear = (text: string) => report({ type: "output", text });
    const outcome = request.dryRun ? undefined : await rebuild(plan, rebuilding, uv, {
      listener: { terminal: context.sharesTerminal, hear },
      report,
    }, system);
    const kernels = await kernelspecWarnings([rebuilding.source], rebuilding.target, system.env);
    const matched = outcome?.parity.status === "matched";
    const refusal = matched && request.deleteSource ? await removeSource(rebuilding, outcome.safe, system) : undefined;
    const commands = plan.commands.map((args) => commandLine([uv.program, ...args]));
    const deletedSource = matched && request.deleteSource && refusal === undefined;
    const document = describeRebuild(plan, rebuilding, outcome, {
      ...{ commands, deletedSource, deleteSource: request.deleteSource, refusal },
    });
    for (const text of document.warnings) report({ type: "warning", text });
    for (const warning of kernels) report({ type: "warning", ...warning });
    document.warnings.push(...kernels.map(({ text, hint }) => `${text}; ${hint}`));
    const failures = [
      ...differenceFailures(splitAbsolute(rebuilding.source)[1], document),
      ...(refusal === undefined ? [] : [failureOf(rebuilding.source, refusal)]),
    ];
    return { ok: failures.length === 0, command: "venv-migrate", ...document, failures };
  },
  render(answer, { stderr: style }) {
    if (answer.status === "dry-run") {
      return {
        stderr:
          `Would make ${answer.target} with the ${formatPackages(answer.requirements_count)} of ${answer.source}\n` +
          answer.would_delete.map((path) => `Would remove ${path}\n`).join(""),
        stdout: answer.commands.map((command) => `${command}\n`).join(""),
      };
    }
    if (answer.status === "verification-failed") {
      const errors = answer.errors.map((error) => `${style.bold(style.red("error:"))} ${error}\n`).join("");
      return { stderr: `${errors}Nothing was changed: ${answer.target} is as it was\n` };
    }
    const removed = answer.deleted_source ? `, and removed ${answer.source}` : "";
    const [kept, ...lines] = answer.errors;
    const error = kept === undefined ? "" : `${style.bold(style.red("error:"))} ${kept}\n`;
    const hint = answer.hint === undefined
      ? ""
      : `${style.bold(style.cyan("hint:"))} move away what you need; \`${answer.hint}\` deletes it with these files\n`;
    return {
      stderr:
        `Made ${answer.target} with the ${formatPackages(answer.requirements_count)} of ${answer.source}${removed}\n` +
        error + lines.map((line) => `  ${line}\n`).join("") + hint,
    };
  },
});

/** Removes the source, unless it has files that the target lacks: then returns the error that names them. */
async function removeSource(
  { source, ownFiles, lockTimeoutSeconds }: RebuildRequest,
  safe: Rebuilt["safe"],
  system: System,
): Promise<CliError | undefined> {
  try {
    await removeRebuilt(source, safe, ownFiles, lockTimeoutSeconds, system);
    return undefined;
  } catch (error) {
    if (error instanceof CliError && error.kind === "refused") return error;
    throw error;
  }
}

async function askSource({ system, configOption, prompt }: Context): Promise<string | undefined> {
  const config = await readConfigIfThere(configOption, system);
  const venvs = await listVenvs(resolveVenvBase({ option: undefined, config }, system));
  if (venvs.length === 0) return undefined;
  return await prompt.select({
    message: "Which environment?",
    options: venvs.map((venv) => ({ value: venv.path, label: venv.name, hint: `Python ${venv.pythonVersion}` })),
  });
}
