// `euler-files apptainer init`: saves the `apptainer` section. The questions only fill in what --input-json could have given.
import * as v from "valibot";
import { type Answer, type Context, defineCommand } from "../contract/command.ts";
import { parseBaseImage } from "../apptainer/base_image.ts";
import { APPTAINER_SCHEMA } from "../config/apptainer_schema.ts";
import { createConfig } from "../config/config_create.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { CHANGED_FIELDS } from "../config/changed_fields.ts";
import { APPTAINER_PATCH_SCHEMA, type ConfigPatch, guardSections } from "../config/config_patch.ts";
import { reviewConfig } from "../config/config_review.ts";
import { expandPath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { object } from "../contract/fields.ts";
import { renderTable } from "../text/table.ts";
import { DEFAULT_VENV_BASE } from "../venv/base.ts";
import { listVenvs } from "../venv/venv.ts";

const FIELD_NAMES = [
  "venv_base",
  "sif_store",
  "scratch_sif_dir",
  "base_image",
  "container_venv_path",
  "build_args",
] as const;

const fields = {
  apptainer: object(
    APPTAINER_PATCH_SCHEMA,
    "The section, or the part of it to change; null takes a field out, but not the images",
  ),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("apptainer-init"),
  status: v.pipe(v.picklist(["saved", "unchanged"]), v.description("`unchanged`: all was there already")),
  config_path: v.string(),
  ...CHANGED_FIELDS,
  warnings: v.array(v.string()),
  apptainer: v.pipe(APPTAINER_SCHEMA, v.description("The whole section as it is now, defaults filled in")),
});

type InitAnswer = Answer & v.InferOutput<typeof answer>;

/** The defaults of a section that is made without a question: all paths but `venv_base` follow from scratch and home. */
const DEFAULTS = {
  venv_base: DEFAULT_VENV_BASE,
  sif_store: "~/.cache/euler-files/sif",
  base_image: "python:{version}-slim",
  container_venv_path: "/opt/venv",
  build_args: ["--fakeroot"],
} as const;

export default defineCommand({
  name: "apptainer init",
  summary: "Set up container images, by questions or from JSON",
  description: "Asks for the directories of environments and images and for the base image, and saves the section " +
    '"apptainer" of the configuration. What is not given stays, the recorded images above all.',
  examples: [
    { command: "euler-files apptainer init", does: "Ask, then save" },
    {
      command:
        `echo '{"base_image": "/cluster/images/python-{version}.sif"}' | euler-files apptainer init --input-json -`,
      does: "Build upon a local image, for a cluster without internet",
    },
  ],
  fields,
  answer,
  bareInput: "apptainer",
  async ask(request, context) {
    return request.apptainer === undefined ? { apptainer: await askForSection(context) } : request;
  },
  async run(request, context): Promise<InitAnswer> {
    const { system } = context;
    const given = request.apptainer;
    if (given === undefined) {
      throw new CliError("usage", "Cannot ask for the settings: there is no terminal, or --json was given", {
        hint: "give them as JSON: `euler-files apptainer init --input-json FILE`, or - for standard input",
      });
    }
    if (typeof given.base_image === "string") parseBaseImage(given.base_image, "3.11", system.env);
    const path = configPath({ config: context.configOption }, system.env, system.cwd);
    const before = (await readConfig(path, system.env)).config;
    const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
    const apptainer = before.apptainer === undefined
      ? { ...DEFAULTS, scratch_sif_dir: defaultScratchDir(before), images: {}, ...set }
      : given;
    const { patch, kept } = guardSections({ apptainer }, []);
    const warnings = kept.map((section) =>
      `${section} was null and stays as it is: \`euler-files init --remove ${section}\``
    );
    const { config, changed, removed } = await createConfig(path, patch, system, (config, before) => {
      warnings.push(...reviewConfig({ config, before, path, env: system.env }));
    });
    for (const text of warnings) context.report({ type: "warning", text });
    return {
      ok: true,
      command: "apptainer-init",
      status: changed.length + removed.length === 0 ? "unchanged" : "saved",
      config_path: path,
      ...{ changed: [...changed], removed: [...removed], warnings },
      apptainer: config.apptainer!,
    };
  },
  render(answer, { stderr: style }) {
    return {
      stderr:
        `${
          answer.status === "saved" ? "Saved" : "Nothing to change in"
        } the section "apptainer" in ${answer.config_path}\n\nNext:\n` +
        `  ${style.bold("euler-files venv install ENV_NAME PACKAGES...")}   make an environment\n` +
        `  ${style.bold("euler-files apptainer build ENV_NAME")}            make an image of it\n`,
    };
  },
});

function defaultScratchDir({ scratch_base, cache_root }: { scratch_base: string; cache_root: string }): string {
  return /^[/~$]/.test(cache_root) ? `${cache_root}/sif` : `${scratch_base}/${cache_root}/sif`;
}

async function askForSection(context: Context): Promise<ConfigPatch> {
  const { system, prompt } = context;
  const path = configPath(
    context.configOption === undefined ? {} : { config: context.configOption },
    system.env,
    system.cwd,
  );
  const { config } = await readConfig(path, system.env);
  const before = config.apptainer;
  const current = { ...DEFAULTS, scratch_sif_dir: defaultScratchDir(config), ...(before ?? {}) };
  const fromVariable = before === undefined && system.env.VENV_DIR
    ? "$VENV_DIR"
    : current.venv_base || DEFAULTS.venv_base;
  const checkPath = (text: string) => faultOf(text, system.env);
  const venvBase = await prompt.text({
    message: "Directory of your Python environments",
    initial: fromVariable,
    check: checkPath,
  });
  const venvs = await listVenvs(expandPath(venvBase, system.env, { label: "venv_base", kind: "config" })).catch(
    () => [],
  );
  prompt.note(
    venvs.length === 0
      ? "No environments there yet; `euler-files venv install` makes them"
      : renderTable(["Name", "Python"], venvs.map((venv) => [venv.name, venv.pythonVersion])),
    "Environments",
  );
  const sifStore = await prompt.text({
    message: "Directory to keep built images in (persistent)",
    initial: current.sif_store || DEFAULTS.sif_store,
    check: checkPath,
  });
  const scratchDir = await prompt.text({
    message: "Directory on scratch for images in use",
    initial: current.scratch_sif_dir || defaultScratchDir(config),
    check: (text) => text === "" ? "must not be empty" : undefined,
  });
  const baseImage = await prompt.text({
    message: "Base image: a Docker reference, or the path of a .sif file",
    initial: current.base_image,
    check: (text) => {
      try {
        parseBaseImage(text, "3.11", system.env);
        return undefined;
      } catch (error) {
        return messageOf(error);
      }
    },
  });
  const given = { venv_base: venvBase, sif_store: sifStore, scratch_sif_dir: scratchDir, base_image: baseImage };
  const advanced = await prompt.confirm({ message: "Change advanced settings?", initial: false });
  const more = advanced ? await askAdvanced(current, context) : {};
  const whole = { ...given, ...more };
  const shown = FIELD_NAMES.map((name) => [name, String((whole as Record<string, unknown>)[name] ?? current[name])]);
  prompt.note(renderTable(["Setting", "Value"], shown), "To be saved");
  if (!await prompt.confirm({ message: `Save to ${path}?`, initial: true })) {
    throw new CliError("declined", "Nothing was saved");
  }
  return whole;
}

async function askAdvanced(
  current: { readonly container_venv_path: string; readonly build_args: readonly string[] },
  { prompt }: Context,
): Promise<ConfigPatch> {
  const containerPath = await prompt.text({
    message: "Where the environment is inside the container",
    initial: current.container_venv_path,
    check: (text) => text.startsWith("/") ? undefined : "must be an absolute path",
  });
  const buildArgs = await prompt.text({
    message: "Further arguments of `apptainer build`, divided by blanks",
    initial: current.build_args.join(" "),
  });
  return { container_venv_path: containerPath, build_args: buildArgs.split(/\s+/).filter((word) => word !== "") };
}

function faultOf(text: string, env: Readonly<Record<string, string>>): string | undefined {
  try {
    const path = expandPath(text, env, { label: "path", kind: "config" });
    return path.startsWith("/") ? undefined : "must be an absolute path, or start with ~ or $";
  } catch (error) {
    return messageOf(error);
  }
}
