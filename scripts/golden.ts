// Golden files: the current help texts, schemas and texts for shells, so that a change to them is visible in review.
// `scripts/deno task golden` writes them; tests/golden_unit_test.ts compares.
import type { AnyCommand } from "../src/contract/command.ts";
import { loadCatalogue } from "../src/cli/app.ts";
import { PROJECT_DIRECTORY } from "./bundle.ts";
import { commandsPage, manualPage } from "./command_documents.ts";
import { commandHelp, programHelp } from "../src/cli/help.ts";
import { configSchema } from "../src/commands/schema.ts";
import { jsonText } from "../src/text/json_text.ts";
import { commandNode } from "../src/schema/cli_tree.ts";
import { inputSchema } from "../src/schema/input_schema.ts";
import { outputSchema } from "../src/schema/output_schema.ts";
import { renderExports } from "../src/shell/exports.ts";
import { shellInit } from "../src/shell/init.ts";
import { SHELLS } from "../src/shell/shell.ts";
import { VERSION } from "../src/contract/version.ts";

/** Where the golden files are. */
export const GOLDEN_DIRECTORY = new URL("../tests/golden/", import.meta.url).pathname;

/** The directories below it whose files are all made here. */
export const GOLDEN_SETS = { help: helpTexts, schema: schemas, shell: shellTexts };

/** Documents that are made here as well: path in the project, and text. */
export const DOCUMENTS: Readonly<Record<string, () => Promise<string>>> = {
  "docs/commands.md": commandsPage,
  "docs/euler-files.1": manualPage,
};

/** The width the help is drawn for. */
const COLUMNS = 100;

async function helpTexts(): Promise<Record<string, string>> {
  const { commands, groups } = await loadCatalogue();
  const texts: Record<string, string> = {
    "euler-files.txt": (await programHelp(undefined, COLUMNS)).replaceAll(VERSION, "VERSION"),
  };
  for (const group of Object.keys(groups)) texts[`${group}.txt`] = await programHelp(group, COLUMNS);
  for (const command of commands) texts[`${dotted(command)}.txt`] = commandHelp(command, COLUMNS);
  return texts;
}

async function schemas(): Promise<Record<string, string>> {
  const { commands } = await loadCatalogue();
  const describe = (command: AnyCommand) => ({
    cli: commandNode(command),
    input_json: inputSchema(command),
    output_json: outputSchema(command),
  });
  return {
    // This name belongs to a group, not to a command.
    "config.json": jsonText(configSchema()),
    ...Object.fromEntries(commands.map((command) => [`${dotted(command)}.json`, jsonText(describe(command))])),
  };
}

function shellTexts(): Record<string, string> {
  const exports = [
    { name: "HF_HOME", value: "/scratch/ada/.cache/euler-files/HF_HOME" },
    { name: "TORCH_HOME", value: "/scratch/ada's disk/a\\b!\n$HOME" },
    { name: "OLD_HOME", value: null },
  ];
  return Object.fromEntries(SHELLS.flatMap((shell) => [
    [`ef.${shell}`, shellInit({ shell, executable: "/home/ada/bin/euler-files" })],
    [`exports.${shell}`, renderExports({ exports, shell, outcome: "succeeded" })],
    [`failed.${shell}`, renderExports({ exports, shell, outcome: "failed" })],
  ]));
}

function dotted(command: AnyCommand): string {
  return command.name.replaceAll(" ", ".");
}

/** Every golden file as it must be: its path below the golden directory, and its text. */
export async function makeGoldenFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [set, make] of Object.entries(GOLDEN_SETS)) {
    for (const [name, text] of Object.entries(await make())) files.set(`${set}/${name}`, text);
  }
  return files;
}

if (import.meta.main) {
  const files = await makeGoldenFiles();
  for (const set of Object.keys(GOLDEN_SETS)) {
    await Deno.remove(GOLDEN_DIRECTORY + set, { recursive: true }).catch(() => {});
    await Deno.mkdir(GOLDEN_DIRECTORY + set, { recursive: true });
  }
  for (const [path, text] of files) await Deno.writeTextFile(GOLDEN_DIRECTORY + path, text);
  await Deno.mkdir(`${PROJECT_DIRECTORY}/docs`, { recursive: true });
  for (const [path, make] of Object.entries(DOCUMENTS)) {
    await Deno.writeTextFile(`${PROJECT_DIRECTORY}/${path}`, await make());
  }
}
