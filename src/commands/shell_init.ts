// `shell-init`: defines the function `ef` in the shell that evaluates what this prints. Reads no configuration and no scratch.
import * as v from "valibot";
import { defineCommand } from "../command.ts";
import { choice } from "../fields.ts";
import { shellInit } from "../shell/init.ts";
import { chooseShell, SHELLS } from "../shell/shell.ts";

const fields = {
  shell: choice(SHELLS, "The shell whose start-up file evaluates this; bash if not given", { placeholder: "SHELL" }),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("shell-init"),
  shell: v.picklist(SHELLS),
  script: v.pipe(v.string(), v.description("The text to evaluate")),
});

/** Answers with the text that defines `ef`. */
export const shellInitCommand = defineCommand({
  name: "shell-init",
  summary: "Print the shell function ef, which syncs and exports in one word",
  description:
    "`ef` and `ef sync` evaluate what sync prints and keep its exit code, and `ef off` what unload prints; `ef status`, `ef push` and all other " +
    "commands are passed on to euler-files. The function remembers where this program is.",
  examples: [
    { command: 'eval "$(euler-files shell-init)"', does: "In ~/.bashrc" },
    { command: 'eval "$(euler-files shell-init --shell zsh)"', does: "In ~/.zshrc" },
    { command: "euler-files shell-init --shell fish | source", does: "In ~/.config/fish/config.fish" },
    { command: 'eval "`euler-files shell-init --shell tcsh`"', does: "In ~/.tcshrc; the double quotes are needed" },
  ],
  fields,
  answer,
  stdoutUse: "evaluated",
  run: ({ shell: option }, { system }) => {
    const shell = chooseShell(option, system.env);
    const script = shellInit({ shell, executable: system.executable });
    return Promise.resolve({ ok: true, command: "shell-init", shell, script } as const);
  },
  render: ({ script }) => ({ stdout: script }),
});
