// `euler-files apptainer build`: builds a container image from an environment.
import * as v from "valibot";
import { bytesOf } from "../contract/answer_fields.ts";
import { type Answer, type Context, defineCommand, type Styles } from "../contract/command.ts";
import { buildImage, type BuildPlan, type BuildSteps, planBuild, planSteps } from "../apptainer/build.ts";
import { imageState } from "../apptainer/inputs.ts";
import { imagePathsOf, type ImageSetting, loadSetting, recordOf } from "../apptainer/setting.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { flag, text } from "../contract/fields.ts";
import { formatSize } from "../text/format.ts";
import { commandLine } from "../shell/quote.ts";
import { checkCongruency } from "../variables/congruency.ts";
import { findApptainer } from "../tools/apptainer.ts";
import { listVenvs } from "../venv/venv.ts";

const fields = {
  venvName: text("The environment; without it and with a terminal, a list to choose from", {
    placement: "argument",
    placeholder: "VENV_NAME",
    completion: "environment",
  }),
  force: flag("Build even if nothing changed"),
  dryRun: flag("Show the definition and the commands without building"),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("apptainer-build"),
  status: v.picklist(["built", "skipped", "dry-run"]),
  reason: v.pipe(v.string(), v.description("Why it was built or skipped")),
  venv_name: v.string(),
  venv_path: v.string(),
  python_version: v.string(),
  sif_path: v.string(),
  definition_path: v.string(),
  tar_path: v.optional(v.pipe(v.string(), v.description("Where the environment is packed during the build"))),
  build_args: v.optional(v.array(v.string())),
  build_command: v.optional(v.pipe(v.array(v.string()), v.description("The command that builds, as arguments"))),
  definition: v.optional(v.string()),
  inputs_hash: v.pipe(v.string(), v.description("Hash of all that goes into the image")),
  size_bytes: v.optional(bytesOf("The image")),
  warnings: v.array(v.string()),
  force: v.boolean(),
  dry_run: v.boolean(),
});

type BuildAnswer = Answer & v.InferOutput<typeof answer>;

export default defineCommand({
  name: "apptainer build",
  summary: "Build a container image from a Python environment",
  description:
    "The environment is packed into one archive, unpacked in the base image and made to work at its place there. An image " +
    "is built again when packages, files, base image or settings changed. The image that is there stays until the new one is " +
    "whole.",
  examples: [
    { command: "euler-files apptainer build my-ml-env", does: "Build it, if anything changed" },
    { command: "euler-files apptainer build my-ml-env --force", does: "Build it in any case" },
    { command: "euler-files apptainer build my-ml-env --dry-run", does: "Show the definition and the commands" },
  ],
  fields,
  answer,
  async ask(request, context) {
    if (request.venvName !== undefined) return request;
    const setting = await loadSetting(context.configOption, context.system);
    const venvs = await listVenvs(setting.venvBase);
    if (venvs.length === 0) return request;
    const options = await Promise.all(venvs.map(async (venv) => ({
      value: venv.name,
      label: venv.name,
      hint: `Python ${venv.pythonVersion}, ${await builtText(setting, venv.name)}`,
    })));
    return { ...request, venvName: await context.prompt.select({ message: "Which environment?", options }) };
  },
  async run(request, context): Promise<BuildAnswer> {
    const { system } = context;
    const setting = await loadSetting(context.configOption, system);
    if (request.venvName === undefined) throw await missingName(setting);
    const warnings = congruencyWarnings(setting, context);
    const apptainer = findApptainer(system.env);
    const mode = request.force ? "force" : "if-needed";
    const program = apptainer?.program ?? "apptainer";
    if (request.dryRun) {
      const plan = await planBuild(setting, request.venvName, mode, system);
      const steps = plan.action === "build" ? await planSteps(plan, setting, system) : undefined;
      const status = plan.action === "build" ? "dry-run" : "skipped";
      const leftBehind = steps?.leftBehind.warnings ?? [];
      for (const warning of leftBehind) context.report({ type: "warning", subject: request.venvName, ...warning });
      const all = [...warnings, ...leftBehind.map(({ text }) => text)];
      return { ...describePlan(plan, steps, program), status, warnings: all, force: request.force, dry_run: true };
    }
    const hear = (text: string) => context.report({ type: "output", text });
    const outcome = await buildImage(
      { name: request.venvName, mode, configOption: context.configOption },
      apptainer,
      { listener: { terminal: false, hear }, report: context.report },
      system,
    );
    for (const text of outcome.importWarnings) context.report({ type: "warning", subject: request.venvName, text });
    const size = outcome.steps === undefined ? undefined : (await Deno.stat(outcome.plan.paths.sif)).size;
    return {
      ...describePlan(outcome.plan, outcome.steps, program),
      status: outcome.steps === undefined ? "skipped" : "built",
      ...(size === undefined ? {} : { size_bytes: size }),
      warnings: [
        ...warnings,
        ...(outcome.steps?.leftBehind.warnings ?? []).map(({ text }) => text),
        ...outcome.importWarnings,
      ],
      force: request.force,
      dry_run: false,
    };
  },
  render: renderBuild,
});

async function builtText(setting: ImageSetting, name: string): Promise<string> {
  try {
    const state = await imageState(imagePathsOf(setting, name), recordOf(setting.section, name), undefined);
    return state === "missing" ? "no image yet" : "has an image";
  } catch {
    return "its name cannot be an image's";
  }
}

async function missingName(setting: ImageSetting): Promise<CliError> {
  const names = (await listVenvs(setting.venvBase)).map((venv) => venv.name);
  if (names.length === 0) {
    return new CliError("not-found", `There are no environments in "${setting.venvBase}"`, {
      hint: "make one with `euler-files venv install ENV_NAME PACKAGES...`",
    });
  }
  return new CliError("usage", "Missing the name of the environment", {
    hint: `euler-files apptainer build VENV_NAME; the environments are ${names.join(", ")}`,
  });
}

function congruencyWarnings(setting: ImageSetting, { system, report }: Context): string[] {
  try {
    const { variables } = resolveConfig(setting.config, setting.configPath, system.env);
    const warnings = checkCongruency(variables.filter(({ enabled }) => enabled), system.env);
    for (const warning of warnings) report({ type: "warning", ...warning });
    return warnings.map((warning) => warning.text);
  } catch {
    // An image can be built although scratch isn't set.
    return [];
  }
}

function describePlan(plan: BuildPlan, steps: BuildSteps | undefined, program: string) {
  const { paths, inputs } = plan;
  return {
    ok: true as const,
    command: "apptainer-build" as const,
    reason: plan.reason,
    venv_name: paths.venvName,
    venv_path: inputs.venv.path,
    python_version: inputs.venv.pythonVersion,
    sif_path: paths.sif,
    definition_path: paths.definition,
    inputs_hash: inputs.hash,
    ...(steps === undefined ? {} : {
      tar_path: steps.archive,
      build_args: [...steps.args.slice(1, -2)],
      build_command: [program, ...steps.args],
      definition: steps.definition,
    }),
  };
}

function renderBuild(answer: BuildAnswer, styles: Styles) {
  const style = styles.stderr;
  if (answer.status === "skipped") {
    const verb = answer.dry_run ? "Would skip" : "Skipped";
    return { stderr: `${verb} ${answer.venv_name}: ${answer.reason} (--force builds it all the same)\n` };
  }
  if (answer.status === "dry-run") {
    return {
      stderr: `Would build ${answer.sif_path}: ${answer.reason}\n`,
      stdout: `${answer.definition ?? ""}\n# pack ${answer.venv_path} into ${answer.tar_path}\n` +
        `${commandLine(answer.build_command ?? [])}\n`,
    };
  }
  const run = style.bold(`euler-files apptainer run ${answer.venv_name} -- SCRIPT`);
  return {
    stderr: `Built ${answer.sif_path} (${formatSize(answer.size_bytes ?? 0)})\n\nNext:\n` +
      `  ${style.bold("euler-files apptainer sync")}   copy it to scratch\n  ${run}\n`,
  };
}
