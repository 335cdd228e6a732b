// `config show`: the whole configuration with its defaults.
import * as v from "valibot";
import { defineCommand } from "../contract/command.ts";
import { CONFIG_SCHEMA } from "../config/config.ts";
import { configPath, readConfig } from "../config/config_file.ts";

/** Answers with the checked configuration, `$VARS` unexpanded. */
export const configShow = defineCommand({
  name: "config show",
  summary: "Print the configuration, defaults filled in",
  description: "Prints JSON without the file's comments. Variables in paths stay as they are written.",
  examples: [
    { command: "euler-files config show", does: "All of it" },
    { command: "euler-files config show | jq .vars", does: "The variables" },
  ],
  fields: {},
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-show"),
    config_path: v.string(),
    config: CONFIG_SCHEMA,
  }),
  stdoutUse: "data",
  run: async (_request, { system, configOption }) => {
    const { path, config } = await readConfig(configPath({ config: configOption }, system.env, system.cwd));
    return { ok: true, command: "config-show", config_path: path, config } as const;
  },
  render: ({ config }) => ({ stdout: `${JSON.stringify(config, null, 2)}\n` }),
});
