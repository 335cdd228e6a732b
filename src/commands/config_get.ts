// `config get`: one field of the configuration.
import * as v from "valibot";
import { type Context, defineCommand } from "../contract/command.ts";
import { listFieldsAt } from "../config/config.ts";
import { listFieldNames, parseFieldName } from "../config/field_names.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { CliError } from "../errors/errors.ts";
import { type RequestOf, text } from "../contract/fields.ts";
import { shellWord } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";

const FIELDS = {
  field: text("The field: vars.HF_HOME.source, migrations[0]", {
    placement: "argument",
    placeholder: "FIELD",
    required: true,
  }),
};

/** Answers with the field's value, or with its default. */
export const configGet = defineCommand({
  name: "config get",
  summary: "Print one field of the configuration",
  description: "Texts are printed as they are, anything else as JSON. A field that is not in the file has its default.",
  examples: [
    { command: "euler-files config get parallel_jobs", does: "A number" },
    { command: "euler-files config get vars.HF_HOME.source", does: "A directory, variables unexpanded" },
  ],
  fields: FIELDS,
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-get"),
    config_path: v.string(),
    field: v.string(),
    value: v.unknown(),
  }),
  stdoutUse: "data",
  run: runGet,
  render: ({ value }) => ({ stdout: `${typeof value === "string" ? value : JSON.stringify(value, null, 2)}\n` }),
});

async function runGet({ field }: RequestOf<typeof FIELDS>, { system, configOption }: Context) {
  if (field === undefined) {
    throw new CliError("usage", "Missing argument FIELD", { hint: "`euler-files config show` prints all of them" });
  }
  const { path, config } = await readConfig(configPath({ config: configOption }, system.env, system.cwd), system.env);
  const parts = parseFieldName(field);
  let value: unknown = config;
  let around: unknown;
  for (const part of parts) {
    around = value;
    const inside = typeof value === "object" && value !== null && Object.hasOwn(value, part);
    value = inside ? (value as Record<string | number, unknown>)[part] : undefined;
  }
  if (value === undefined && around !== undefined && listFieldsAt(parts.slice(0, -1))?.includes(String(parts.at(-1)))) {
    throw new CliError("not-found", `The field "${field}" is not set in "${path}", and has no default`, {
      hint: `\`euler-files config set ${shellWord(field)} VALUE\` sets it`,
    });
  }
  if (value === undefined) {
    const near = closestString(field, listFieldNames(config));
    throw new CliError("not-found", `Cannot find the field "${field}" in "${path}"`, {
      hint: near === undefined ? "`euler-files config show` prints all of them" : `did you mean ${near}?`,
    });
  }
  return { ok: true, command: "config-get", config_path: path, field, value } as const;
}
