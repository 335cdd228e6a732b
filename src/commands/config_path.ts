// `config path`: which configuration file is used.
import * as v from "valibot";
import { defineCommand } from "../contract/command.ts";
import { configPath, readConfigText } from "../config/config_file.ts";

/** Answers with the path, whether the file exists or not. */
export const configPathCommand = defineCommand({
  name: "config path",
  summary: "Print the path of the configuration file",
  description: "It is the one given with --config, else EULER_FILES_CONFIG, else ~/.euler-files.json.",
  examples: [{ command: 'ls -l "$(euler-files config path)"', does: "Look at the file" }],
  fields: {},
  answer: v.object({
    ok: v.literal(true),
    command: v.literal("config-path"),
    config_path: v.string(),
    exists: v.boolean(),
  }),
  stdoutUse: "data",
  run: async (_request, { system, configOption }) => {
    const path = configPath({ config: configOption }, system.env, system.cwd);
    const exists = await readConfigText(path) !== undefined;
    return { ok: true, command: "config-path", config_path: path, exists } as const;
  },
  render: ({ config_path }) => ({ stdout: `${config_path}\n` }),
});
