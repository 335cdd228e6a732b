// `completion`: the text with which a shell completes our command lines. It is static; only the names of variables and the like
// are read when a person presses Tab, and from the configuration alone: a Tab must not wait for scratch.
import * as v from "valibot";
import { type Command, type Context, defineCommand } from "../contract/command.ts";
import type { CompletionSource } from "../completion/shells.ts";
import { configPath, parseJson, readConfigText } from "../config/config_text.ts";
import { PRESETS } from "../config/presets.ts";
import { CliError } from "../errors/errors.ts";
import { choice, type RequestOf } from "../contract/fields.ts";
import { printable } from "../text/format.ts";
import { asObject } from "../text/json_value.ts";
import { chooseShell, SHELL_NAMES, SHELLS } from "../shell/shell.ts";

const NAMES = ["variable", "environment", "image", "preset"] as const;

const FIELDS = {
  shell: choice(SHELL_NAMES, "The shell to print for; bash if not given", {
    variable: "EULER_FILES_SHELL",
    placement: "argument",
    placeholder: "SHELL",
  }),
  names: choice(NAMES, "Print the names of one kind that the configuration has, one a line", { placeholder: "KIND" }),
};

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("completion"),
  shell: v.optional(v.picklist(SHELLS)),
  script: v.optional(v.pipe(v.string(), v.description("The text to evaluate"))),
  names: v.optional(v.array(v.string())),
});

type CompletionAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** The command, over all existing commands. */
export function completionCommand(source: CompletionSource): Command<typeof FIELDS, CompletionAnswer> {
  return defineCommand({
    name: "completion",
    summary: "Print the completion of command lines for a shell",
    description:
      "shell-init registers it, so that the first Tab loads it. Without shell-init, evaluate it in a start-up " +
      "file; in zsh after compinit. Names of variables, images and environments come from the configuration.",
    examples: [
      { command: 'eval "$(euler-files completion bash)"', does: "In ~/.bashrc" },
      { command: 'eval "$(euler-files completion zsh)"', does: "In ~/.zshrc, after compinit" },
      { command: "euler-files completion fish | source", does: "In ~/.config/fish/config.fish" },
      { command: 'eval "`euler-files completion tcsh`"', does: "In ~/.tcshrc" },
    ],
    fields: FIELDS,
    answer: ANSWER_SCHEMA,
    stdoutUse: "evaluated",
    run: (request, context) => runCompletion(request, context, source),
    render: ({ script, names = [] }) => ({ stdout: script ?? names.map((name) => `${name}\n`).join("") }),
  });
}

async function runCompletion(
  { shell: option, names }: RequestOf<typeof FIELDS>,
  context: Context,
  source: CompletionSource,
): Promise<CompletionAnswer> {
  const { env, executable } = context.system;
  if (names !== undefined) {
    // A completed name with control characters could not be typed.
    const known = (await namesOf(names, context)).filter((name) => name === printable(name));
    return { ok: true, command: "completion", names: known };
  }
  const shell = chooseShell(option, env);
  const { completionText } = await import("../completion/shells.ts");
  return { ok: true, command: "completion", shell, script: await completionText(shell, executable, source) };
}

async function namesOf(kind: (typeof NAMES)[number], context: Context): Promise<string[]> {
  if (kind === "preset") return PRESETS.map(({ name }) => name);
  const config = await configOrNothing(context);
  const { images } = asObject(config.apptainer) ?? {};
  if (kind === "variable") return namesIn(config.vars);
  if (kind === "image") return namesIn(images);
  const environments = Object.values(asObject(images) ?? {}).map((image) => asObject(image)?.venv_name);
  return [...new Set(environments.filter((name) => typeof name === "string"))];
}

function namesIn(section: unknown): string[] {
  return Object.keys(asObject(section) ?? {});
}

/**
 * The configuration as it is written: a check would load the schema, which takes longer than all else. Empty if it cannot be
 * read: an error message would disturb the line that is being completed.
 */
async function configOrNothing(
  { configOption, system: { env, cwd } }: Context,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    const path = configPath({ config: configOption }, env, cwd);
    const text = await readConfigText(path);
    return asObject(text === undefined ? undefined : await parseJson(text, path)) ?? {};
  } catch (error) {
    if (error instanceof CliError) return {};
    throw error;
  }
}
