// `add`: adds one variable to the configuration, without a question and without JSON.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { editConfig } from "../config/config_edit.ts";
import { asObject } from "../text/json_value.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { reviewConfig } from "../config/config_review.ts";
import { type ProposedVariable, proposeVariable } from "../config/proposed_variable.ts";
import { resolveConfig } from "../config/resolve.ts";
import { TIERS } from "../config/tier.ts";
import { CliError } from "../errors/errors.ts";
import { choice, type RequestOf, text } from "../contract/fields.ts";
import { printable, shellWord } from "../text/format.ts";
import { evaluation } from "../shell/shell.ts";
import { isDirectory } from "../system/existence.ts";

const FIELDS = {
  name: text("The environment variable to manage", {
    placement: "argument",
    placeholder: "VARIABLE",
    required: true,
    completion: "preset",
  }),
  directory: text("Where its files are kept; for well-known variables their usual directory if not given", {
    placement: "argument",
    placeholder: "DIR",
    completion: "directory",
  }),
  mode: choice(["stage", "redirect"], "Stage a copy, or name an empty directory instead of one", {
    placeholder: "MODE",
  }),
  tier: choice(TIERS, "Use it on scratch, or on the disk of each node", { placeholder: "TIER" }),
};

type AddRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("add"),
  config_path: v.string(),
  name: v.string(),
  status: v.pipe(
    v.picklist(["added", "enabled", "unchanged"]),
    v.description("`enabled`: it was configured and disabled; `unchanged`: it was managed already"),
  ),
  mode: v.picklist(["stage", "redirect"]),
  tier: v.picklist(TIERS),
  source: v.optional(v.pipe(v.string(), v.description("As it is written in the configuration"))),
  source_exists: v.optional(v.boolean()),
  warnings: v.array(v.string()),
});

type AddAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Adds a variable to the configuration, or enables it again. */
export const add = defineCommand({
  name: "add",
  summary: "Have one more variable managed",
  description: "Nothing is copied before the next sync. A variable that is configured with another directory is left " +
    "as it is: `migrate` moves its files, `config set` only names another directory.",
  examples: [
    { command: "euler-files add HF_HOME", does: "With its usual directory, ~/.cache/huggingface" },
    { command: "euler-files add MODELS ~/models", does: "A variable of your own" },
    { command: "euler-files add UV_CACHE_DIR --mode redirect", does: "An empty directory on scratch, nothing copied" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runAdd,
  render: renderAdd,
});

async function runAdd(request: AddRequest, context: Context): Promise<AddAnswer> {
  const { name } = request;
  if (name === undefined) {
    throw new CliError("usage", "Missing argument VARIABLE", { hint: "euler-files add VARIABLE [DIR]" });
  }
  const { env, cwd } = context.system;
  const path = configPath({ config: context.configOption }, env, cwd);
  const { config } = await readConfig(path, env).catch((error) => {
    if (!(error instanceof CliError) || error.kind !== "not-found") throw error;
    throw new CliError("not-found", error.message, {
      hint: `make one: \`euler-files init --scratch ${env.SCRATCH ? "'$SCRATCH'" : "DIRECTORY"} ${shellWord(name)}\``,
      cause: error,
    });
  });
  const known = Object.hasOwn(config.vars, name) ? config.vars[name]! : undefined;
  const proposed = known === undefined
    ? await proposeVariable({ ...request, name, scratchBase: scratchBaseOf(config, path, env) }, env, cwd)
    : await sameOr(known, { ...request, name }, env, cwd);
  const status = known === undefined ? "added" : known.enabled ? "unchanged" : "enabled";
  const warnings: string[] = [];
  const edits = status === "added"
    ? [{ path: ["vars", name], value: proposed }]
    : status === "enabled"
    ? [{ path: ["vars", name, "enabled"], value: true }]
    : [];
  const saved = await editConfig(path, edits, context.system, (config, before) => {
    warnings.push(...reviewConfig({ config, before: asObject(before), path, env }));
  });
  for (const text of warnings) context.report({ type: "warning", text });
  const { variables } = resolveConfig(saved, path, env, [name]);
  const exists = variables[0] === undefined ? undefined : await isDirectory(variables[0].source);
  return {
    ...{ ok: true, command: "add", config_path: path, name, status, warnings },
    mode: proposed.mode ?? "stage",
    tier: proposed.tier ?? "scratch",
    ...(proposed.source === undefined ? {} : { source: proposed.source }),
    ...(exists === undefined ? {} : { source_exists: exists }),
  };
}

/** The scratch directory, or undefined if it is not known on this machine; then no directory can be on it. */
function scratchBaseOf(...[config, path, env]: Parameters<typeof resolveConfig>) {
  try {
    return resolveConfig({ ...config, vars: {} }, path, env).scratchBase;
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

/** The existing entry, if nothing else was asked for; otherwise throws `usage`. */
async function sameOr(
  { source, mode = "stage", tier = "scratch" }: {
    readonly source?: string | undefined;
    readonly mode?: "stage" | "redirect" | undefined;
    readonly tier?: ProposedVariable["tier"] | undefined;
  },
  request: AddRequest & { readonly name: string },
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<ProposedVariable> {
  const { name, directory } = request;
  const found = (what: string, is: string, hint: string) =>
    new CliError("usage", `Cannot add ${name}: it is configured already, with the ${what} ${is}`, { hint });
  if (request.mode !== undefined && request.mode !== mode) {
    throw found("mode", mode, `change it with \`euler-files config set vars.${name}.mode ${request.mode}\``);
  }
  if (request.tier !== undefined && request.tier !== tier) {
    throw found("tier", tier, `change it with \`euler-files config set vars.${name}.tier ${request.tier}\``);
  }
  if (directory !== undefined) {
    const asked = await proposeVariable({ ...request, scratchBase: undefined }, env, cwd);
    if (asked.source !== source) {
      const word = shellWord(asked.source ?? directory);
      throw found(
        "directory",
        `"${printable(source ?? "")}"`,
        `\`euler-files migrate ${name} --to ${word}\` moves its files there, ` +
          `\`euler-files config set vars.${name}.source ${word}\` only names another directory`,
      );
    }
  }
  return {
    ...(source === undefined ? {} : { source }),
    ...(mode === "redirect" ? { mode } : {}),
    tier,
    enabled: true,
  };
}

function renderAdd(answer: AddAnswer, styles: Styles): Rendered {
  const style = styles.stderr;
  const { name, status, mode, tier, source, source_exists } = answer;
  const where = tier === "node" ? "the disk of each node" : "scratch";
  const what = mode === "redirect"
    ? `redirected to an empty directory on ${where}`
    : `staged from ${printable(source ?? "")}${source_exists === false ? ", which does not exist yet" : ""}`;
  const head = {
    added: `Added ${name} to ${answer.config_path}: ${what}`,
    enabled: `Enabled ${name} again: ${what}`,
    unchanged: `${name} is managed already: ${what}`,
  }[status];
  return {
    stderr: `${head}\n\nNext, in a job script or a shell:\n  ${style.bold(evaluation(`sync ${name}`, "bash"))}\n`,
  };
}
