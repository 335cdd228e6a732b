// `config set`: changes one field of the configuration and leaves the rest of the file as it is.
import * as v from "valibot";
import { type Context, defineCommand } from "../contract/command.ts";
import { parseFieldName } from "../config/field_names.ts";
import { editConfig } from "../config/config_edit.ts";
import { configPath } from "../config/config_file.ts";
import { reviewConfig } from "../config/config_review.ts";
import { withoutTheirDetails } from "../config/image_record.ts";
import { CliError } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { type Field, type RequestOf, text } from "../contract/fields.ts";

const VALUE: Field<unknown> = {
  schema: v.unknown(),
  shape: "text",
  placement: "argument",
  placeholder: "VALUE",
  required: true,
  help: "The value: JSON if it is valid JSON, else a text; null takes the field out",
  default: undefined,
  fromWord: parseValue,
};

const FIELDS = {
  field: text("The field: parallel_jobs, vars.HF_HOME.source", {
    placement: "argument",
    placeholder: "FIELD",
    required: true,
  }),
  value: VALUE,
};

/** Sets or removes a field, keeping comments and layout. */
export const configSet = defineCommand({
  name: "config set",
  summary: "Change one field of the configuration",
  description: "The result is checked before it is written. Comments, layout and all other fields stay as they are.",
  examples: [
    { command: "euler-files config set parallel_jobs 8", does: "A number" },
    { command: "euler-files config set vars.TORCH_HOME.source ~/.cache/torch", does: "Manage another variable" },
    { command: `euler-files config set rsync_extra_args '["--bwlimit=50000"]'`, does: "A list, as JSON" },
    { command: "euler-files config set vars.TORCH_HOME null", does: "Take a variable out" },
  ],
  fields: FIELDS,
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-set"),
    config_path: v.string(),
    field: v.string(),
    value: v.pipe(v.unknown(), v.description("The new value, null where the field was taken out")),
    warnings: v.array(v.string()),
  }),
  run: runSet,
  render: ({ field, value, config_path }) => ({
    stderr: value === null
      ? `Took ${field} out of ${config_path}\n`
      : `Set ${field} to ${JSON.stringify(value)} in ${config_path}\n`,
  }),
});

async function runSet({ field, value }: RequestOf<typeof FIELDS>, { system, configOption, report }: Context) {
  if (field === undefined || value === undefined) {
    throw new CliError("usage", `Missing argument ${field === undefined ? "FIELD" : "VALUE"}`, {
      hint: "euler-files config set FIELD VALUE",
    });
  }
  const path = configPath({ config: configOption }, system.env, system.cwd);
  const edits = withoutTheirDetails([{ path: parseFieldName(field), value: value === null ? undefined : value }]);
  const warnings: string[] = [];
  await editConfig(path, edits, system, (config, before) => {
    warnings.push(...reviewConfig({ config, before, path, env: system.env }));
  }).catch((error) => {
    const isListWanted = error instanceof CliError && error.message.includes(`${field} must be a list`);
    if (!isListWanted || typeof value !== "string") throw error;
    const list = JSON.stringify([value]);
    throw new CliError(error.kind, error.message, {
      hint: `a list is written as JSON: \`euler-files config set ${shellWord(field)} ${shellWord(list)}\``,
      cause: error,
    });
  });
  for (const text of warnings) report({ type: "warning", text });
  return { ok: true, command: "config-set", config_path: path, field, value, warnings } as const;
}

function parseValue(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}
