// `euler-files venv migrate`: reinstalls one environment at another path, from its frozen package list.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { resolvePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import { flag, flagOff, list, text } from "../contract/fields.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { commandLine } from "../shell/quote.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { findUv, uvMissing } from "../tools/uv.ts";
import { lockVenv, readConfigIfThere, resolveUvCache, resolveVenvBase } from "../venv/base.ts";
import { planRebuild, rebuild } from "../venv/rebuild.ts";
import { describeRebuild, REBUILD_ENTRIES } from "../venv/rebuild_answer.ts";
import { removeVenv } from "../venv/remove.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  source: text("The environment, a path", { placement: "argument", placeholder: "SOURCE", completion: "directory" }),
  target: text("Where to make it again, a path", {
    placement: "argument",
    placeholder: "TARGET",
    completion: "directory",
  }),
  python: text("Python version or interpreter; that of the source if not given", { placeholder: "PYTHON" }),
  uvCacheDir: text("uv's cache directory", { placeholder: "DIR" }),
  indexUrl: text("Package index to use instead of PyPI", { placeholder: "URL" }),
  extraIndexUrls: list("Package index to use besides", { flag: "--extra-index-url", placeholder: "URL" }),
  verify: flagOff("Compare the package lists afterwards"),
  overwriteTarget: flag("Replace an environment that is at the target"),
  deleteSource: flag("Remove the source when the lists are the same"),
  allowCopy: flag("Let uv copy files from a cache on another file system"),
  dryRun: flag("Show what would be done"),
};

const answer = v.object({ ok: v.boolean(), command: v.literal("venv-migrate"), ...REBUILD_ENTRIES });

type MigrateAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "venv migrate",
  summary: "Make an environment again at another place",
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
    const target = request.target ?? await context.prompt.text({ message: "Where shall it be made again?" });
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
        "Cannot use --delete-source with --no-verify: nobody would know that the target is right",
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
    const matched = outcome?.parity.status === "matched";
    if (matched && request.deleteSource) {
      await using _lock = await lockVenv(rebuilding.source, rebuilding.lockTimeoutSeconds, system, () => {});
      await removeVenv({ path: rebuilding.source, kind: "directory" });
    }
    const commands = plan.commands.map((args) => commandLine([uv.program, ...args]));
    const deletedSource = matched && request.deleteSource;
    const document = describeRebuild(plan, rebuilding, outcome, { commands, deletedSource });
    for (const text of document.warnings) report({ type: "warning", text });
    return { ok: document.status !== "verification-failed", command: "venv-migrate", ...document };
  },
  render(answer, { stderr: style }) {
    if (answer.status === "dry-run") {
      return {
        stderr: `Would make ${answer.target} with the ${answer.requirements_count} packages of ${answer.source}\n`,
        stdout: answer.commands.map((command) => `${command}\n`).join(""),
      };
    }
    if (answer.status === "verification-failed") {
      const errors = answer.errors.map((error) => `${style.bold(style.red("error:"))} ${error}\n`).join("");
      return { stderr: `${errors}Nothing was changed: ${answer.target} is as it was\n` };
    }
    const removed = answer.deleted_source ? `, and removed ${answer.source}` : "";
    return {
      stderr: `Made ${answer.target} with the ${answer.requirements_count} packages of ${answer.source}${removed}\n`,
    };
  },
});

async function askSource({ system, configOption, prompt }: Context): Promise<string | undefined> {
  const config = await readConfigIfThere(configOption, system);
  const venvs = await listVenvs(resolveVenvBase({ option: undefined, config }, system));
  if (venvs.length === 0) return undefined;
  return await prompt.select({
    message: "Which environment?",
    options: venvs.map((venv) => ({ value: venv.path, label: venv.name, hint: `Python ${venv.pythonVersion}` })),
  });
}
