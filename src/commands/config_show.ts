// `config show`: the whole configuration with its defaults, and where each value comes from.
import * as v from "valibot";
import { defineCommand } from "../contract/command.ts";
import { CONFIG_SCHEMA } from "../config/config.ts";
import { type ConfigFile, configPath, parseJson, readConfig } from "../config/config_file.ts";
import { fieldName } from "../config/field_names.ts";
import { originOf } from "../config/site.ts";
import { flag } from "../contract/fields.ts";
import { asObject } from "../text/json_value.ts";

const FIELDS = {
  origin: flag("Show where each value comes from: the file, the site, a profile or the default"),
};

const ORIGIN_SCHEMA = v.object({
  field: v.string(),
  value: v.unknown(),
  origin: v.pipe(
    v.string(),
    v.description("`file`, `default`, the path of the site's file, or `profile` and its name"),
  ),
});

/** Answers with the checked configuration, `$VARS` unexpanded. */
export const configShow = defineCommand({
  name: "config show",
  summary: "Print the configuration, defaults filled in",
  description:
    "Prints JSON without the file's comments. Variables in paths stay as they are written. What the file lacks comes from " +
    "the site, if there is one: from the file that EULER_FILES_SITE_CONFIG names, else /etc/euler-files.json, then from a " +
    "built-in profile.",
  examples: [
    { command: "euler-files config show", does: "All of it" },
    { command: "euler-files config show | jq .vars", does: "The variables" },
    { command: "euler-files config show --origin", does: "A line for each value, with where it comes from" },
  ],
  fields: FIELDS,
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-show"),
    config_path: v.string(),
    config: CONFIG_SCHEMA,
    origins: v.optional(v.pipe(v.array(ORIGIN_SCHEMA), v.description("With --origin, for each value"))),
  }),
  stdoutUse: "data",
  run: async ({ origin }, { system, configOption }) => {
    const file = await readConfig(configPath({ config: configOption }, system.env, system.cwd), system.env);
    const { path, config } = file;
    const origins = origin ? { origins: await listOrigins(file) } : {};
    return { ok: true, command: "config-show", config_path: path, config, ...origins } as const;
  },
  render: ({ config, origins }) => {
    if (origins === undefined) return { stdout: `${JSON.stringify(config, null, 2)}\n` };
    return {
      stdout: origins.map(({ field, value, origin }) => `${field} = ${JSON.stringify(value)}  (${origin})\n`).join(""),
    };
  },
});

/** Each field of the whole, and those of each variable and of the section of images. */
async function listOrigins({ path, text, layers, config }: ConfigFile): Promise<v.InferOutput<typeof ORIGIN_SCHEMA>[]> {
  const own = asObject(await parseJson(text, path)) ?? {};
  const below = (parts: readonly string[], value: unknown, written: unknown) =>
    Object.entries(asObject(value) ?? {}).map(([name, inner]) => ({
      field: fieldName([...parts, name]),
      value: inner,
      origin: originOf(name, written, []),
    }));
  return Object.entries(config).flatMap(([name, value]) => {
    if (name === "vars") {
      return Object.entries(config.vars).flatMap(([variable, entry]) =>
        below([name, variable], entry, asObject(own.vars)?.[variable])
      );
    }
    if (name === "apptainer") return below([name], value, own.apptainer);
    return [{ field: fieldName([name]), value, origin: originOf(name, own, layers) }];
  });
}
