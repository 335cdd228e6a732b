// `init`: saves a configuration. The questions only fill in what --input-json could have given.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { CONFIG_SCHEMA } from "../config/config.ts";
import { createConfig } from "../config/config_create.ts";
import { asObject } from "../text/json_value.ts";
import { configPath, parseJson, readConfigText } from "../config/config_file.ts";
import { CONFIG_PATCH_SCHEMA, type ConfigPatch, guardSections } from "../config/config_patch.ts";
import { type AbsolutePath, resolvePath, toAbsolutePath } from "../config/paths.ts";
import { proposeVariable } from "../config/proposed_variable.ts";
import { CHANGED_FIELDS, keptSection, REMOVED_SECTIONS } from "../config/changed_fields.ts";
import { reviewConfig } from "../config/config_review.ts";
import { CliError } from "../errors/errors.ts";
import { list, object, type RequestOf, text } from "../contract/fields.ts";
import { formatCount, listSome } from "../text/format.ts";
import { evaluation } from "../shell/shell.ts";

const FIELDS = {
  scratch: text("Where scratch is, usually '$SCRATCH'; written down as typed", {
    placeholder: "DIR",
    completion: "directory",
  }),
  add: list("Manage this variable, with its usual directory or the one named", {
    placement: "argument",
    placeholder: "VARIABLE[=DIR]",
    completion: "preset",
  }),
  remove: REMOVED_SECTIONS,
  config: object(
    CONFIG_PATCH_SCHEMA,
    "The configuration, or the part of it to change; null takes a field out, a section only if `remove` names it",
  ),
};

type InitRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("init"),
  status: v.pipe(v.picklist(["saved", "unchanged"]), v.description("`unchanged`: all was there already")),
  config_path: v.string(),
  ...CHANGED_FIELDS,
  config: v.pipe(CONFIG_SCHEMA, v.description("The whole configuration as it is now, defaults filled in")),
  aside_path: v.optional(v.pipe(v.string(), v.description("Where a file of another format version was put"))),
  warnings: v.array(v.string()),
});

type InitAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Saves a configuration; fields of an existing one that aren't given stay. */
export const init = defineCommand({
  name: "init",
  summary: "Set up which caches are managed, by questions, options or JSON",
  description:
    "Asks for scratch, variables and their source directories, and saves ~/.euler-files.json. A configuration that " +
    "is there already is the starting point: what is not given stays in it, null takes a field out. A null for a whole " +
    "section (vars, apptainer, apptainer.images, migrations) changes nothing unless --remove names it.",
  examples: [
    { command: "euler-files init", does: "Ask, then save" },
    { command: "euler-files init --scratch '$SCRATCH' HF_HOME TORCH_HOME", does: "Save without a question" },
    { command: "euler-files init MODELS=~/models", does: "Add a variable with its directory" },
    { command: "euler-files init --input-json config.json", does: "Save what a file says" },
    {
      command: `echo '{"vars": {"HF_HOME": {"source": "~/.cache/huggingface"}}}' | euler-files init --input-json -`,
      does: "Add or change one variable",
    },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  bareInput: "config",
  ask: async (request, context) => {
    if (request.config !== undefined || hasFlags(request)) return request;
    const { askForConfig } = await import("../wizard/init_questions.ts");
    return { ...request, config: await askForConfig(context) };
  },
  run: runInit,
  render: renderInit,
});

async function runInit(request: InitRequest, context: Context): Promise<InitAnswer> {
  const { system } = context;
  if (request.config === undefined && !hasFlags(request)) {
    throw new CliError("usage", "Cannot ask for the configuration: there is no terminal, or --json was given", {
      hint:
        "name scratch and variables: `euler-files init --scratch '$SCRATCH' HF_HOME`; or give it as JSON that has at " +
        "least a scratch_base: `euler-files init --input-json FILE`, or - for standard input",
    });
  }
  const path = configPath({ config: context.configOption }, system.env, system.cwd);
  const warnings: string[] = [];
  const { patch, kept } = guardSections(await patchOf(request, path, context), request.remove);
  warnings.push(...kept.map(keptSection));
  const { config, changed, removed, asidePath } = await createConfig(path, patch, system, (config, before) => {
    warnings.push(...reviewConfig({ config, before, path, env: system.env }), ...movedPaths(config, before));
  });
  for (const text of warnings) context.report({ type: "warning", text });
  return {
    ok: true,
    command: "init",
    status: changed.length + removed.length === 0 ? "unchanged" : "saved",
    config_path: path,
    ...{ changed: [...changed], removed: [...removed] },
    config,
    ...(asidePath === undefined ? {} : { aside_path: asidePath }),
    warnings,
  };
}

/** Warns what a new scratch or source means for existing files: none of them is moved. */
function movedPaths(
  config: {
    readonly scratch_base: string;
    readonly vars: Readonly<Record<string, { readonly source?: string | undefined }>>;
  },
  before: unknown,
): string[] {
  const { scratch_base, vars } = asObject(before) ?? {};
  const scratch = typeof scratch_base === "string" && scratch_base !== config.scratch_base
    ? [`scratch was ${scratch_base}: what was not pushed is still there`]
    : [];
  const sources = Object.entries(config.vars).flatMap(([name, { source }]) => {
    const former = asObject(asObject(vars)?.[name])?.source;
    if (typeof former !== "string" || source === undefined || former === source) return [];
    return [
      `the source of ${name} was ${former}: its files stay there, and \`euler-files migrate\` is what moves them`,
    ];
  });
  return [...scratch, ...sources];
}

function hasFlags({ scratch, add, remove }: InitRequest): boolean {
  return scratch !== undefined || add.length + remove.length > 0;
}

/** The configuration given as JSON, overridden by options and arguments. */
async function patchOf(
  { config = {}, scratch, add }: InitRequest,
  path: AbsolutePath,
  { system: { env, cwd } }: Context,
): Promise<ConfigPatch> {
  const text = add.length === 0 ? undefined : await readConfigText(path);
  const existing = text === undefined ? undefined : asObject(await parseJson(text, path));
  const written = scratch === undefined || /^[/~$]/.test(scratch)
    ? scratch
    : resolvePath(scratch, env, cwd, { label: "--scratch", kind: "usage" });
  const base = written ?? config.scratch_base ?? existing?.scratch_base;
  const scratchBase = typeof base === "string" ? knownPath(base, env) : undefined;
  const vars = new Map(Object.entries(asObject(config.vars) ?? {}));
  for (const word of add) {
    const [, name = "", directory] = /^([^=]*)(?:=(.*))?$/s.exec(word)!;
    const isKnown = Object.hasOwn(asObject(existing?.vars) ?? {}, name) || vars.has(name);
    const entry = isKnown && directory === undefined
      ? { enabled: true }
      : await proposeVariable({ name, directory, mode: undefined, tier: undefined, scratchBase }, env, cwd);
    // A directory for a redirected variable makes it a staged one again.
    const staged = isKnown && directory !== undefined ? { mode: null } : {};
    vars.set(name, { ...asObject(vars.get(name)), ...staged, ...entry });
  }
  return {
    ...config,
    ...(written === undefined ? {} : { scratch_base: written }),
    ...(add.length === 0 ? {} : { vars: Object.fromEntries(vars) }),
  };
}

/** The path, or undefined if it uses a variable such as $SCRATCH that is not set on this machine. */
function knownPath(base: string, env: Readonly<Record<string, string>>): AbsolutePath | undefined {
  try {
    return toAbsolutePath(base, env, { label: "scratch_base", kind: "config" });
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

function savedText({ status, config_path, removed }: InitAnswer): string {
  const gone = removed.length === 0 ? "" : `Took out ${listSome(removed)}\n`;
  return `${gone}${status === "saved" ? "Saved" : "Nothing to change in"} ${config_path}`;
}

function renderInit(answer: InitAnswer, styles: Styles): Rendered {
  const style = styles.stderr;
  const enabled = Object.values(answer.config.vars).filter(({ enabled }) => enabled).length;
  const aside = answer.aside_path === undefined
    ? ""
    : `The old file, of another version, is now ${answer.aside_path}\n`;
  if (enabled === 0) {
    return {
      stderr: `${savedText(answer)} with no enabled variable\n${aside}\nNext, choose what is staged:\n` +
        `  ${style.bold("euler-files add HF_HOME")}\n`,
    };
  }
  return {
    stderr: `${savedText(answer)} with ${formatCount(enabled)} enabled ${enabled === 1 ? "variable" : "variables"}
${aside}
Next, in a job script or a shell, to copy to scratch and export:
  ${style.bold(evaluation("sync", "bash"))}
In ~/.bashrc, for the short command ef:
  ${style.bold('eval "$(euler-files shell-init)"')}
`,
  };
}
