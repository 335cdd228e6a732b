// `unload`: sets the variables back to the values they had before a sync. Reads neither the configuration nor scratch.
import * as v from "valibot";
import { defineCommand, type Rendered, type Styles } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { choice, list } from "../contract/fields.ts";
import { listSome, printable } from "../text/format.ts";
import { EARLIER_VALUES, unloadEarlierValues } from "../shell/earlier_values.ts";
import { renderExports } from "../shell/exports.ts";
import { chooseShell, evaluation, SHELL_NAMES, SHELLS } from "../shell/shell.ts";

const FIELDS = {
  vars: list("Give back only this variable's value", {
    flag: "--var",
    placeholder: "NAME",
    argument: "VARIABLE",
    completion: "variable",
  }),
  shell: choice(SHELL_NAMES, "Print statements for this shell; bash is right for every POSIX shell", {
    variable: "EULER_FILES_SHELL",
    placeholder: "SHELL",
  }),
};

const ANSWER_SCHEMA = v.object({
  ok: v.literal(true),
  command: v.literal("unload"),
  shell: v.picklist(SHELLS),
  restored: v.pipe(
    v.record(v.string(), v.nullable(v.string())),
    v.description("The variables with the values they had; null where one was not set"),
  ),
  left: v.pipe(
    v.array(v.string()),
    v.description("Variables that were changed after the sync; they stay as they are"),
  ),
  remaining: v.pipe(
    v.nullable(v.string()),
    v.description(`The new value of ${EARLIER_VALUES}; null where it goes`),
  ),
});

type UnloadAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Answers with the statements that restore the earlier values. */
export const unload = defineCommand({
  name: "unload",
  summary: "Give the variables back the values they had before sync",
  description:
    `An evaluated sync keeps the earlier values in ${EARLIER_VALUES}, which nested shells and jobs inherit. ` +
    "What was set with a variable goes with it. A variable that was changed after the sync stays as it is. Nothing on scratch changes. With the function of " +
    "shell-init it is `ef off`, and `off` is another name of this command.",
  examples: [
    { command: evaluation("unload", "bash"), does: "All variables as they were before sync" },
    { command: evaluation("unload", "fish"), does: "The same in fish" },
    { command: evaluation("unload HF_HOME", "bash"), does: "One variable only" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  stdoutUse: "evaluated",
  run: ({ vars, shell: option }, { system, report }) => {
    const shell = chooseShell(option, system.env);
    const { restored, left, remaining, unknown } = unloadEarlierValues(vars, system.env);
    if (unknown.length > 0) {
      throw new CliError("not-found", `Cannot unload ${listSome(unknown)}: no sync has set it in this shell`, {
        hint: "`euler-files unload` gives back all that were set",
      });
    }
    if (Object.keys(restored).length + left.length === 0) {
      report({ type: "note", text: "nothing to unload: no sync was evaluated in this shell" });
    }
    for (const subject of left) {
      report({ type: "warning", subject, text: "was changed after the sync and stays as it is" });
    }
    return Promise.resolve(
      { ok: true, command: "unload", shell, restored: { ...restored }, left: [...left], remaining } as const,
    );
  },
  render: renderUnload,
});

function renderUnload({ shell, restored, left, remaining }: UnloadAnswer, styles: Styles): Rendered {
  const changes = Object.entries(restored);
  if (changes.length + left.length === 0) {
    return { stdout: renderExports({ exports: [], shell, outcome: "succeeded" }) };
  }
  const style = styles.stderr;
  const values = changes.map(([name, value]) => value === null ? `${name} not set` : `${name}=${printable(value)}`);
  const exports = [{ name: EARLIER_VALUES, value: remaining }, ...changes.map(([name, value]) => ({ name, value }))];
  return {
    ...(values.length === 0 ? {} : { stderr: `As before sync: ${values.join(", ")}\n` }),
    stdout: renderExports({ exports, shell, outcome: "succeeded" }),
    aside: `${style.bold(style.cyan("hint:"))} these lines take effect only when the shell runs them: ${
      evaluation("unload", shell)
    }\n`,
  };
}
