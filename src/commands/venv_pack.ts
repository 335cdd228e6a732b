// `euler-files venv pack`: makes one file of an environment, which is mounted at the environment's own path.
import * as v from "valibot";
import { bytesOf } from "../contract/answer_fields.ts";
import { planSquash, squashVenv, withPrefix } from "../apptainer/squash_venv.ts";
import { loadSetting } from "../apptainer/setting.ts";
import { type Answer, defineCommand } from "../contract/command.ts";
import { flag, text } from "../contract/fields.ts";
import { CliError } from "../errors/errors.ts";
import { findMksquashfs } from "../tools/mksquashfs.ts";
import { formatSize } from "../text/format.ts";
import { commandLine } from "../shell/quote.ts";
import { findPrefix } from "../venv/conda.ts";
import { resolvePath, toAbsolutePath } from "../config/paths.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  name: text("The environment", { placement: "argument", placeholder: "NAME", completion: "environment" }),
  prefix: text("Pack this prefix of conda, micromamba or pixi (or the pixi project) under NAME", {
    placeholder: "DIR",
    completion: "directory",
  }),
  force: flag("Pack even if nothing changed"),
  dryRun: flag("Show what would be done"),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("venv-pack"),
  status: v.picklist(["packed", "skipped", "dry-run"]),
  reason: v.pipe(v.string(), v.description("Why it was packed or skipped")),
  name: v.string(),
  venv_path: v.pipe(v.string(), v.description("Where the pack is mounted, too")),
  pack_path: v.string(),
  inputs_hash: v.pipe(v.string(), v.description("Hash of its packages, path and other files")),
  size_bytes: v.optional(bytesOf("The packed file")),
  dry_run: v.boolean(),
});

type PackAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "venv pack",
  summary: "Pack an environment into one file, without building a container",
  description:
    "Makes a squashfs of the environment with all modules compiled. It is mounted at the environment's own path, so nothing is " +
    "rewritten, and it needs no privileges. `euler-files apptainer sync`, `list`, `run`, `exec`, `shell` and `prune` take it like " +
    "an image; it runs in apptainer.base_image with the environment's Python. Only a Python of the system (in /usr or " +
    "/usr/local) must be in the base image.",
  examples: [
    { command: "euler-files venv pack my-ml-env", does: "Pack it, if anything changed" },
    {
      command: "euler-files venv pack my-tools --prefix ~/micromamba/envs/tools",
      does: "A prefix of conda or micromamba",
    },
    { command: "euler-files apptainer run my-ml-env train.py", does: "Run a script with it" },
  ],
  fields,
  answer,
  async ask(request, { system, configOption, prompt }) {
    if (request.name !== undefined) return request;
    const venvs = await listVenvs((await loadSetting(configOption, system)).venvBase);
    if (venvs.length === 0) return request;
    const options = venvs.map(({ name, pythonVersion }) => ({
      value: name,
      label: name,
      hint: `Python ${pythonVersion}`,
    }));
    return { ...request, name: await prompt.select({ message: "Which environment?", options }) };
  },
  async run(request, { system, configOption, report }): Promise<PackAnswer> {
    if (request.name === undefined) {
      throw new CliError("usage", "Missing the name of the environment", { hint: "euler-files venv pack NAME" });
    }
    const setting = await loadSetting(configOption, system);
    const mode = request.force ? "force" : "if-needed";
    const hear = (text: string) => report({ type: "output", text });
    const prefix = request.prefix === undefined ? undefined : toAbsolutePath(
      await findPrefix(resolvePath(request.prefix, system.env, system.cwd, { label: "--prefix", kind: "usage" })),
      {},
      { label: "--prefix", kind: "usage" },
    );
    const asked = withPrefix(setting, request.name, prefix);
    const plan = request.dryRun ? await planSquash(asked, request.name, mode, system) : await squashVenv(
      { setting, name: request.name, mode, prefix },
      await findMksquashfs(system),
      { listener: { terminal: false, hear }, report },
      system,
    );
    const isPacked = plan.action === "pack" && !request.dryRun;
    return {
      ok: true,
      command: "venv-pack",
      status: plan.action === "skip" ? "skipped" : request.dryRun ? "dry-run" : "packed",
      reason: plan.reason,
      name: plan.name,
      venv_path: plan.venv.path,
      pack_path: plan.file,
      inputs_hash: plan.inputsHash,
      ...(isPacked ? { size_bytes: (await Deno.stat(plan.file)).size } : {}),
      dry_run: request.dryRun,
    };
  },
  render(answer, { stderr: style }) {
    if (answer.status === "skipped") return { stderr: `Skipped ${answer.name}: ${answer.reason} (--force packs it)\n` };
    if (answer.status === "dry-run") return { stderr: `Would pack ${answer.pack_path}: ${answer.reason}\n` };
    const run = commandLine(["euler-files", "apptainer", "run", answer.name]);
    return {
      stderr: `Packed ${answer.pack_path} (${formatSize(answer.size_bytes ?? 0)})\n\nNext:\n  ${
        style.bold(`${run} SCRIPT`)
      }\n`,
    };
  },
});
