// Completions in the real shells: what Tab offers, on a terminal where the shell needs one.
import assert from "node:assert/strict";
import { completionTable, flagsWithValue } from "../../src/completion/table.ts";
import { ALIASES, loadCatalogue } from "../../src/cli/app.ts";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { makeWorld, type World } from "../support/world.ts";

async function worldWithNames(): Promise<World> {
  const world = await makeWorld();
  await world.writeConfig({
    vars: { HF_HOME: { source: "~/hf" }, HF_HUB_CACHE: { source: "~/hf/hub" }, TORCH_HOME: { source: "~/torch" } },
    apptainer: {
      images: {
        ml: { venv_name: "ml-env", python_version: "3.11", sif_filename: "ml.sif" },
        "$(touch oops)": { venv_name: "odd", python_version: "3.11", sif_filename: "odd.sif" },
      },
    },
  });
  await world.writeTree("home", { "job.json": "{}", "models/a": "a" });
  return world;
}

/** A command line, words that must be offered at its end, and words that must not. */
const LINES: readonly [line: string, offered: readonly string[], others: readonly string[]][] = [
  ["euler-files s", ["status", "sync", "schema", "shell-init"], ["push"]],
  ["euler-files venv ", ["install", "migrate-store"], ["sync"]],
  ["euler-files sync HF", ["HF_HOME", "HF_HUB_CACHE"], ["TORCH_HOME"]],
  ["euler-files --config job.json push HF_HOME TO", ["TORCH_HOME"], []],
  ["euler-files sync --to ", ["scratch", "node"], ["HF_HOME"]],
  ["euler-files status --me", ["--measure"], ["--force"]],
  ["euler-files apptainer sync --image m", ["ml"], []],
  ["euler-files venv remove ml", ["ml-env"], []],
  ["ef o", ["off"], []],
];

async function offeredBy(world: World, shell: "bash" | "fish", script: (line: string) => string, init: string) {
  const lines = LINES.map(([line]) => `echo '== ${line}'; ${script(line)}`).join("\n");
  const { stdout, stderr } = await world.shell(shell, `${init}\n${lines}`);
  assert.equal(stderr, "");
  return Object.fromEntries(
    stdout.split("== ").slice(1).map((part) => {
      const [line = "", ...words] = part.trimEnd().split("\n");
      return [line.trim(), words.map((word) => word.split("\t")[0]!)];
    }),
  );
}

function judge(offers: Readonly<Record<string, readonly string[]>>): void {
  for (const [line, offered, others] of LINES) {
    const words = offers[line.trim()] ?? [];
    for (const word of offered) assert.ok(words.includes(word), `${line}: ${word} in ${words}`);
    for (const word of others) assert.ok(!words.includes(word), `${line}: no ${word} in ${words}`);
  }
}

testNeeding(["bash"], "bash offers commands, options, choices and names", async () => {
  await using world = await worldWithNames();
  const complete = (line: string) =>
    `COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); ` +
    `__euler_files_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
  judge(await offeredBy(world, "bash", complete, 'set -u; eval "$(euler-files completion bash)"'));
});

testNeeding(["fish"], "fish offers commands, options, choices and names, from the first Tab on", async () => {
  await using world = await worldWithNames();
  const complete = (line: string) => `complete -C '${line}'`;
  judge(await offeredBy(world, "fish", complete, "euler-files shell-init --shell fish | source"));
});

/** How a shell is started with its completion registered by shell-init. */
const INTERACTIVE = {
  bash: { file: ".bashrc", text: 'PS1="> "; eval "$(euler-files shell-init)"', start: "bash --rcfile .bashrc -i" },
  zsh: {
    file: ".zshrc",
    text: 'PS1="> "; autoload -Uz compinit; compinit -u -d zcomp; eval "$(euler-files shell-init)"',
    start: "ZDOTDIR=$PWD zsh -i",
  },
  fish: {
    file: "init.fish",
    text: 'function fish_prompt; echo "> "; end; euler-files shell-init --shell fish | source',
    start: "fish -C 'source init.fish'",
  },
  tcsh: {
    file: ".tcshrc",
    text: 'set prompt = "> "; set autolist; eval "`euler-files shell-init --shell tcsh`"',
    start: "tcsh",
  },
} as const;

for (const shell of ["bash", "zsh", "fish", "tcsh"] as const) {
  testNeeding([shell, "tmux"], `${shell}: Tab completes commands, choices, names and files`, async () => {
    await using world = await worldWithNames();
    const { file, text, start } = INTERACTIVE[shell];
    await Deno.writeTextFile(`${world.home}/${file}`, `${text}\n`);
    await using terminal = await openTerminal(world, `cd ${world.home}; ${start}`, { columns: 200 });
    await terminal.shows(">");
    for (
      const [typed, completed] of [
        ["euler-files stat", "euler-files status"],
        ["ef sync TOR", "ef sync TORCH_HOME"],
        ["euler-files sync --to nod", "euler-files sync --to node"],
        ["euler-files --config job.j", "euler-files --config job.json"],
        ["euler-files push --checks", "euler-files push --checksum"],
      ] as const
    ) {
      await terminal.press(typed, "Tab");
      // Ask the shell for its line: the screen alone can show what is not in it.
      await terminal.press("C-a", "echo the line is ", "Enter");
      await terminal.shows(`the line is ${completed}`);
    }
    assert.ok(!(await Deno.stat(`${world.home}/oops`).catch(() => undefined)));
  });
}

Deno.test("an option takes a value in all commands or in none, because the completion relies on this to find the command", async () => {
  const table = completionTable(await loadCatalogue(), ALIASES);
  const valued = flagsWithValue(table);
  const switches = table.commands.flatMap(({ options }) => options.filter(({ value }) => value === undefined));
  assert.deepEqual(switches.flatMap(({ flags }) => flags).filter((flag) => valued.includes(flag)), []);
});
