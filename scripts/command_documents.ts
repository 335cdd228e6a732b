// Documents made from the table of commands: a page for the web and a manual page. `scripts/deno task golden` writes them.
import { loadCatalogue } from "../src/cli/app.ts";
import { commandHelp, programHelp } from "../src/cli/help.ts";
import { VERSION } from "../src/contract/version.ts";

/** The width of the help: for the web page, and for the manual page on a terminal. */
const COLUMNS = { page: 100, manual: 76 };

/** `docs/commands.md`: each command with its help. */
export async function commandsPage(): Promise<string> {
  const { commands } = await loadCatalogue();
  const chapters = commands.map((command) =>
    `## ${command.name}\n\n\`\`\`\n${commandHelp(command, COLUMNS.page).trimEnd()}\n\`\`\`\n`
  );
  return "# Commands\n\nWhat `euler-files COMMAND --help` prints. Made from the table of commands: " +
    "`scripts/deno task golden`.\n\n" + chapters.join("\n");
}

/** `docs/euler-files.1`: the same for man(1). */
export async function manualPage(): Promise<string> {
  const { commands } = await loadCatalogue();
  const overview = (await programHelp(undefined, COLUMNS.manual)).split("\n").slice(1).join("\n").trim();
  return [
    `.TH EULER-FILES 1 "" "euler-files ${VERSION}" "User Commands"`,
    ".SH NAME",
    "euler\\-files \\- stages cache directories from slow storage to fast scratch",
    ".SH SYNOPSIS",
    ".B euler\\-files",
    ".I COMMAND [OPTIONS]",
    ".SH OVERVIEW",
    verbatim(overview),
    ...commands.flatMap((command) => [
      `.SH ${roff(command.name).toUpperCase()}`,
      verbatim(commandHelp(command, COLUMNS.manual).trimEnd()),
    ]),
    "",
  ].join("\n");
}

/** Text whose lines are not wrapped. */
function verbatim(text: string): string {
  return `.nf\n${text.split("\n").map(roff).join("\n")}\n.fi`;
}

/** Escapes a line for groff(7): it may not begin like a request, and a backslash begins an escape. */
function roff(line: string): string {
  return line.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}
