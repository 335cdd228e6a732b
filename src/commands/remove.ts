// `remove`: removes a variable from the configuration, and says which of its files stay where.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered } from "../contract/command.ts";
import { editConfig } from "../config/config_edit.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { resolveConfig, type ResolvedConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { flag, type RequestOf, text } from "../contract/fields.ts";
import { formatFiles, formatNames, formatSize, listSome, shellWord } from "../text/format.ts";
import { openManagedVariables } from "../runs/managed_variables.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { planPush } from "../pushing/push.ts";
import { redirectedTarget } from "../nodes/redirect.ts";
import { stagingSettings } from "../variables/variable.ts";
import { readNamesOrNone } from "../posix/read_names.ts";
import { nameExists } from "../system/existence.ts";

const FIELDS = {
  name: text("The managed variable", {
    placement: "argument",
    placeholder: "VARIABLE",
    required: true,
    completion: "variable",
  }),
  force: flag("Take it out even where files on scratch were not pushed, or where that cannot be looked at"),
};

type RemoveRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("remove"),
  config_path: v.string(),
  name: v.string(),
  source: v.pipe(v.nullable(v.string()), v.description("Stays as it is; null where the variable was redirected")),
  left: v.pipe(v.array(v.string()), v.description("What stays of it on scratch")),
  remove_command: v.pipe(
    v.nullable(v.string()),
    v.description("The command that removes what stays; null where nothing does"),
  ),
});

type RemoveAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Removes a variable from the configuration. No file is deleted. */
export const remove = defineCommand({
  name: "remove",
  summary: "Have a variable no longer managed",
  description: "Only the configuration changes: the source and what is on scratch stay, and the command that removes " +
    "the latter is named. Where scratch has files that were not pushed, the variable stays unless --force is given.",
  examples: [
    { command: "euler-files remove TORCH_HOME", does: "Out of the configuration" },
    { command: "euler-files config set vars.TORCH_HOME.enabled false", does: "Leave it out of sync for a while" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runRemove,
  render: renderRemove,
});

async function runRemove({ name, force }: RemoveRequest, context: Context): Promise<RemoveAnswer> {
  if (name === undefined) {
    throw new CliError("usage", "Missing argument VARIABLE", { hint: "euler-files remove VARIABLE" });
  }
  const { env, cwd } = context.system;
  const path = configPath({ config: context.configOption }, env, cwd);
  const { config } = await readConfig(path, env);
  // If scratch is not known here, the variable can still be removed; but its name must be in the configuration.
  const resolved = force ? resolvedOrNothing(() => resolveConfig(config, path, env, [name])) : undefined;
  if (force && !Object.hasOwn(config.vars, name)) resolveConfig(config, path, env, [name]);
  const here = force ? resolved : await refuseUnpushed(name, context);
  await editConfig(path, [{ path: ["vars", name], value: undefined }], context.system);
  const left = here === undefined ? [] : await leftOnScratch(here, name);
  return {
    ...{ ok: true, command: "remove", config_path: path, name, left },
    source: config.vars[name]?.source ?? null,
    remove_command: here === undefined ? null : removeCommand(here, name, left),
  };
}

function resolvedOrNothing(resolve: () => ResolvedConfig): ResolvedConfig | undefined {
  try {
    return resolve();
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

/** Throws `refused` if a push would copy anything, or if that cannot be determined. */
async function refuseUnpushed(name: string, context: Context): Promise<ResolvedConfig> {
  const { resolved, variables } = await openManagedVariables([name], context);
  const settings = stagingSettings(resolved, "push");
  const hint = `push it first: \`euler-files push ${name}\`; \`euler-files remove ${name} --force\` leaves it there`;
  // A part of another variable has no copy of its own.
  for (const variable of variables.filter((variable) => variable.name === name)) {
    const plan = await planPush({ variable, settings, emptySource: "refuse" }, context.system);
    if (plan.status === "failed") {
      throw new CliError(plan.error.kind, `Cannot tell what of ${name} is not pushed: ${plan.error.message}`, {
        hint: `\`euler-files remove ${name} --force\` takes it out all the same`,
        cause: plan.error,
      });
    }
    if (plan.status === "scratch-missing") continue;
    const { filesToTransfer, bytesToTransfer, kept, unreadable } = plan.plan;
    const conflicts = kept.filter(isConflict);
    const what = [
      ...(filesToTransfer === 0
        ? []
        : [`${formatFiles(filesToTransfer)}, ${formatSize(bytesToTransfer)} on scratch not pushed`]),
      ...(conflicts.length === 0 ? [] : [`in conflict: ${listSome(conflicts.map(({ path }) => path))}`]),
      ...(unreadable.length === 0 ? [] : [`${formatNames(unreadable)} that cannot be read`]),
    ];
    if (what.length === 0) continue;
    throw new CliError("refused", `Cannot remove ${name}: ${what.join("; ")}`, { hint });
  }
  return resolved;
}

/** The copy, the files kept aside from it, and the directory of a redirected variable, as far as they exist. */
async function leftOnScratch({ cacheRoot }: ResolvedConfig, name: string): Promise<string[]> {
  const left: string[] = [];
  for (const entry of (await readNamesOrNone(cacheRoot)).keys()) {
    const isCopy = entry === name || entry.startsWith(`${name}.replaced-`);
    if (isCopy || entry === `.${name}.partial` || entry === `.${name}.from`) left.push(`${cacheRoot}/${entry}`);
  }
  const redirected = redirectedTarget(cacheRoot, name);
  if (await nameExists(redirected)) left.push(redirected);
  return left.sort();
}

/** The command that removes what is left of a variable. `clean` checks that everything is pushed; a redirected directory is never pushed. */
function removeCommand({ cacheRoot }: ResolvedConfig, name: string, left: readonly string[]): string | null {
  const redirected = redirectedTarget(cacheRoot, name);
  const commands = [
    ...(left.some((path) => path !== redirected) ? [`euler-files clean ${name}`] : []),
    ...(left.includes(redirected) ? [`rm -rf -- ${shellWord(redirected)}`] : []),
  ];
  return commands.length === 0 ? null : commands.join(" && ");
}

function renderRemove({ name, config_path, source, left, remove_command }: RemoveAnswer): Rendered {
  const stays = source === null ? "" : `Its source ${source} stays as it is.\n`;
  const there = remove_command === null
    ? ""
    : `On scratch ${left.length === 1 ? "stays" : "stay"} ${
      listSome(left, 3)
    }; when no job uses it any more:\n  ${remove_command}\n`;
  return { stderr: `Took ${name} out of ${config_path}\n${stays}${there}` };
}
