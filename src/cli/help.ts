// The text of --help: the purpose, then examples, then every option.
import type { AnyCommand } from "../contract/command.ts";
import { VERSION } from "../contract/version.ts";
import { GROUPS, loadCatalogue } from "./app.ts";
import { commandParser } from "./arguments.ts";
import { wrapText } from "../text/shorten.ts";
import { evaluation } from "../shell/shell.ts";

/** With fewer columns the texts beside the options would have about one word a line. */
const LEAST_TEXT_COLUMNS = 12;

/** The help of one command. */
export function commandHelp(command: AnyCommand, columns: number): string {
  const width = Math.max(40, Math.min(columns, 100));
  const parser = commandParser(command.name, command.fields)
    .configureHelp({ helpWidth: width, minWidthToWrap: LEAST_TEXT_COLUMNS, showGlobalOptions: false });
  const parts = [wrapText(`${command.summary}.`, width), "", "Examples:"];
  // A command stays on one line, so that it can be pasted.
  for (const example of command.examples) parts.push(`  ${example.command}`, wrapText(`      ${example.does}`, width));
  parts.push("");
  if (command.description !== undefined) parts.push(wrapText(command.description, width), "");
  const options = parser.helpInformation();
  return parts.join("\n") + "\n" + options.replace(/^Usage: .*/m, (usage) => wrapUsage(usage, width));
}

/** The line of usage, broken where it is too long, with what follows indented below its first word. */
function wrapUsage(usage: string, columns: number): string {
  if (usage.length <= columns) return usage;
  const indent = "Usage: ".length;
  return wrapText(usage, columns - indent).replaceAll("\n", `\n${" ".repeat(indent)}`);
}

/** The help of the whole program, or of one group of commands. */
export async function programHelp(group: string | undefined, columns: number): Promise<string> {
  const lines = group === undefined
    ? [
      `euler-files ${VERSION}: stages cache directories from slow storage to fast scratch.`,
      "",
      "In a job script:",
      `  ${evaluation("sync", "bash")}`,
      "",
      "Usage: euler-files COMMAND [OPTIONS]",
      "",
      "Commands:",
    ]
    : [`${GROUPS[group] ?? "Commands"}.`, "", `Usage: euler-files ${group} COMMAND [OPTIONS]`, "", "Commands:"];
  const { commands } = await loadCatalogue();
  const shown = commands.filter(({ name }) => group === undefined || name.startsWith(`${group} `));
  const width = Math.max(...shown.map(({ name }) => name.length));
  const indent = width + 4;
  for (const { name, summary } of shown) {
    const text = wrapText(summary, Math.max(LEAST_TEXT_COLUMNS, columns - indent));
    lines.push(`  ${name.padEnd(width)}  ${text.replaceAll("\n", `\n${" ".repeat(indent)}`)}`);
  }
  lines.push(
    "",
    "Every command takes --help, --json, --input-json FILE, --progress json, --quiet and --config FILE.",
    "Exit codes: 0 done, 1 something failed, 2 configuration or usage, 130/143/129 stopped by a signal.",
  );
  if (group === undefined) lines.push("`euler-files -V` prints the version.");
  return wrapText(lines.join("\n") + "\n", columns);
}
