// `init`: saves a configuration. The questions only fill in what --input-json could have given.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../command.ts";
import { CONFIG_SCHEMA } from "../config/config.ts";
import { createConfig } from "../config/config_create.ts";
import { configPath } from "../config/config_file.ts";
import { CONFIG_PATCH_SCHEMA } from "../config/config_patch.ts";
import { reviewConfig } from "../config/config_review.ts";
import { CliError } from "../errors.ts";
import { object, type RequestOf } from "../fields.ts";
import { formatCount } from "../format.ts";
import { evaluation } from "../shell/shell.ts";

const FIELDS = {
  config: object(CONFIG_PATCH_SCHEMA, "The configuration, or the part of it to change; null takes a field out"),
};

type InitRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("init"),
  status: v.literal("saved"),
  config_path: v.string(),
  config: v.pipe(CONFIG_SCHEMA, v.description("The whole configuration as it is now, defaults filled in")),
  aside_path: v.optional(v.pipe(v.string(), v.description("Where a file of another format version was put"))),
  warnings: v.array(v.string()),
});

type InitAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Saves a configuration; what isn't given of one that is there stays. */
export const init = defineCommand({
  name: "init",
  summary: "Set up which caches are managed, by questions or from JSON",
  description:
    "Asks for scratch, variables and their source directories, and saves ~/.euler-files.json. A configuration that " +
    "is there already is the starting point: what isn't given stays in it, null takes a field out.",
  examples: [
    { command: "euler-files init", does: "Ask, then save" },
    { command: "euler-files init --input-json config.json", does: "Save without a question" },
    {
      command: `echo '{"vars": {"HF_HOME": {"source": "~/.cache/huggingface"}}}' | euler-files init --input-json -`,
      does: "Add or change one variable",
    },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  bareInput: "config",
  ask: async (request, context) => {
    if (request.config !== undefined) return request;
    const { askForConfig } = await import("../wizard/init_questions.ts");
    return { config: await askForConfig(context) };
  },
  run: runInit,
  render: renderInit,
});

async function runInit(request: InitRequest, context: Context): Promise<InitAnswer> {
  const { system } = context;
  if (request.config === undefined) {
    throw new CliError("usage", "Cannot ask for the configuration: there is no terminal, or --json was given", {
      hint:
        "give it as JSON that has at least a scratch_base: `euler-files init --input-json FILE`, or - for standard input",
    });
  }
  const path = configPath({ config: context.configOption }, system.env, system.cwd);
  const warnings: string[] = [];
  const { config, asidePath } = await createConfig(path, request.config, system, (config, before) => {
    warnings.push(...reviewConfig({ config, before, path, env: system.env }));
  });
  for (const text of warnings) context.report({ type: "warning", text });
  return {
    ok: true,
    command: "init",
    status: "saved",
    config_path: path,
    config,
    ...(asidePath === undefined ? {} : { aside_path: asidePath }),
    warnings,
  };
}

function renderInit(answer: InitAnswer, styles: Styles): Rendered {
  const style = styles.stderr;
  const enabled = Object.values(answer.config.vars).filter(({ enabled }) => enabled).length;
  const aside = answer.aside_path === undefined
    ? ""
    : `The old file, of another version, is now ${answer.aside_path}\n`;
  if (enabled === 0) {
    return {
      stderr: `Saved ${answer.config_path} with no enabled variable\n${aside}\nNext, choose what is staged:\n` +
        `  ${style.bold("euler-files init")}\n`,
    };
  }
  return {
    stderr: `Saved ${answer.config_path} with ${formatCount(enabled)} enabled ${
      enabled === 1 ? "variable" : "variables"
    }
${aside}
Next, in a job script or a shell:
  ${style.bold(evaluation("sync", "bash"))}        copy to scratch and export
In ~/.bashrc, for the short command ef:
  ${style.bold('eval "$(euler-files shell-init)"')}
`,
  };
}
