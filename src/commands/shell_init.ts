// `shell-init`: defines the function `ef` in the shell that evaluates what this prints. Reads no configuration and no scratch.
import * as v from "valibot";
import { type Command, defineCommand } from "../contract/command.ts";
import type { CompletionSource } from "../completion/shells.ts";
import { choice } from "../contract/fields.ts";
import { shellInit } from "../shell/init.ts";
import { chooseShell, SHELL_NAMES, SHELLS } from "../shell/shell.ts";

const fields = {
  shell: choice(SHELL_NAMES, "The shell whose start-up file evaluates this; bash if not given", {
    variable: "EULER_FILES_SHELL",
    placeholder: "SHELL",
  }),
};

const answer = v.object({
  ok: v.literal(true),
  command: v.literal("shell-init"),
  shell: v.picklist(SHELLS),
  script: v.pipe(v.string(), v.description("The text to evaluate")),
});

type ShellInitAnswer = v.InferOutput<typeof answer>;

/** Answers with the text that defines `ef` and registers the completions. */
export function shellInitCommand(source: CompletionSource): Command<typeof fields, ShellInitAnswer> {
  return defineCommand({
    name: "shell-init",
    summary: "Print the shell function ef, which syncs and exports in one word",
    description:
      "`ef` and `ef sync` evaluate what sync prints and keep its exit code, and `ef off` what unload prints; " +
      "`ef status`, `ef push` and all other commands are passed on to euler-files. The function remembers where this " +
      "program is. Command lines of ef and euler-files are completed; in zsh where compinit comes first.",
    examples: [
      { command: 'eval "$(euler-files shell-init)"', does: "In ~/.bashrc" },
      { command: 'eval "$(euler-files shell-init --shell zsh)"', does: "In ~/.zshrc" },
      { command: "euler-files shell-init --shell fish | source", does: "In ~/.config/fish/config.fish" },
      { command: 'eval "`euler-files shell-init --shell tcsh`"', does: "In ~/.tcshrc; the double quotes are needed" },
    ],
    fields,
    answer,
    stdoutUse: "evaluated",
    run: async ({ shell: option }, { system }) => {
      const shell = chooseShell(option, system.env);
      const { executable } = system;
      // The rules of tcsh cannot be loaded at the first Tab, as those of the other shells are.
      const rules = shell === "tcsh"
        ? await (await import("../completion/shells.ts")).completionText(shell, executable, source)
        : "";
      return { ok: true, command: "shell-init", shell, script: shellInit({ shell, executable }) + rules };
    },
    render: ({ script }) => ({ stdout: script }),
  });
}
