// The answer of `status` for people: a table of the variables, or all that is known of those that were named.
import type { Rendered, Style, Styles } from "../contract/command.ts";
import { formatCount, formatFiles, formatSize, formatTime, listSome, printable } from "../text/format.ts";
import { shortenMessage, wrapText } from "../text/shorten.ts";
import { renderTable } from "../text/table.ts";
import type { Details } from "./details.ts";
import type { StatusAnswer } from "./status_answer.ts";

type VariableStatus = StatusAnswer["variables"][number];

/** The text of an answer. */
export function renderStatus(answer: StatusAnswer, styles: Styles): Rendered {
  const style = styles.stdout;
  const all = [...answer.variables, ...answer.disabled];
  const redirected = answer.redirected.map(({ name, target }) => `${name}: redirected to ${shortenMessage(target)}\n`)
    .join("");
  if (all.length === 0 && redirected !== "") return { stdout: redirected };
  if (all.length === 0) {
    return { stdout: "No variable is managed yet: `euler-files init` sets them up\n" };
  }
  const nodes = answer.staged_nodes.map(({ name, nodes, target }) =>
    `${name}: on ${nodes.length} nodes of this job (${listSome(nodes)}): ${shortenMessage(target)}\n`
  ).join("");
  const named = all.filter(({ details }) => details !== undefined);
  if (named.length > 0) {
    return { stdout: named.map((variable) => renderDetails(variable, style)).join("\n") + redirected + nodes };
  }
  const reasons = answer.variables.filter(({ reason }) => reason !== undefined)
    .map(({ name, reason }) => style.dim(shortenMessage(`${name}: ${reason}`)) + "\n");
  const total = `Total on scratch: ${answer.total_scratch_usage} in ${answer.cache_root}\n`;
  const below = wrapText(`${reasons.join("")}${redirected}${nodes}${total}`, style.columns);
  return { stdout: `${renderVariables(answer, style)}\n${below}` };
}

const HEAD = ["Variable", "Source size", "Scratch size", "Last synced", "Status"];

/** A table, or a block of lines for each variable if the table is too wide for the terminal. */
function renderVariables({ variables, disabled }: StatusAnswer, style: Style): string {
  const plain = (text: string) => text;
  const rows = [
    ...variables.map((variable) => ({ cells: rowOf(variable), paint: plain, paintStatus: colourOf(variable, style) })),
    ...disabled.map((variable) => ({
      cells: rowOf(variable).with(-1, `disabled, ${wordsFor(variable)}`),
      paint: style.dim,
      paintStatus: style.dim,
    })),
  ];
  const uncoloured = renderTable(HEAD, rows.map(({ cells }) => cells));
  if (uncoloured.split("\n").every((line) => line.length <= style.columns)) {
    return renderTable(
      HEAD.map(style.bold),
      rows.map(({ cells, paint, paintStatus }) => cells.map((cell, index) => (index < 4 ? paint : paintStatus)(cell))),
    );
  }
  return rows.map(({ cells: [name, source, scratch, synced, status], paint, paintStatus }) =>
    `${style.bold(name!)}  ${paintStatus(status!)}\n` +
    paint(`  source ${source}, scratch ${scratch}\n  last synced ${synced}\n`)
  ).join("");
}

function rowOf(variable: VariableStatus): string[] {
  return [variable.name, variable.source_size, variable.scratch_size, variable.last_synced, wordsFor(variable)];
}

function wordsFor({ status, unfinished, unpushed_files, conflicts }: VariableStatus): string {
  const word = (unfinished ?? status).replace("-", " ");
  if (conflicts > 0) return `${word}, ${formatCount(conflicts)} in conflict`;
  return unfinished === undefined && (unpushed_files ?? 0) > 0 ? `${word}, not pushed` : word;
}

function colourOf(
  { status, unfinished, unpushed_files, conflicts }: VariableStatus,
  style: Style,
): (text: string) => string {
  if (conflicts > 0) return style.red;
  if (status === "fresh") return (unpushed_files ?? 0) > 0 ? style.yellow : style.green;
  const isBad = unfinished === undefined && (status === "not-synced" || status === "unusable");
  return isBad ? style.red : style.yellow;
}

/** Where the texts beside the labels begin. */
const TEXT_COLUMN = 14;

/** Lines with a label each; what does not exist has no line. */
function renderDetails(variable: VariableStatus, style: Style): string {
  const details = variable.details!;
  const lines: [string, string][] = [
    ["why", variable.reason ?? ""],
    ["source", `${printable(variable.source)}  ${variable.source_size}`],
    ["target", `${printable(variable.scratch)}  ${variable.scratch_size}`],
    ["shell", shellText(variable.name, details)],
    ["last sync", lastSyncText(variable, details)],
    ["not pushed", unpushedText(variable, details)],
    ["conflicts", conflictsText(variable, details)],
    ["gone", variable.purged_files === 0 ? "" : `${formatFiles(variable.purged_files)} since the last transfer`],
    ["only", details.include.join(", ")],
    ["left out", leftOutText(details)],
    ["links out", outsideLinksText(variable)],
  ];
  const block = (text: string) =>
    wrapText(text, style.columns - TEXT_COLUMN).replaceAll("\n", `\n${" ".repeat(TEXT_COLUMN)}`);
  return `${style.bold(variable.name)}  ${colourOf(variable, style)(wordsFor(variable))}\n` +
    lines.filter(([, text]) => text !== "")
      .map(([label, text]) => `  ${style.dim(label.padEnd(TEXT_COLUMN - 4))}  ${block(text)}\n`).join("");
}

function shellText(name: string, { in_this_shell: { value, leads_to, set_by } }: Details): string {
  if (value === null) return `$${name} is not set`;
  const where = leads_to === "elsewhere" ? `"${printable(value)}"` : `the ${leads_to}`;
  return `$${name} is ${where}, set by ${set_by === "sync" ? "a sync" : "something else than a sync"}`;
}

function lastSyncText({ last_synced }: VariableStatus, { last_sync, staged_files, staged_bytes }: Details): string {
  if (last_sync === null) return last_synced;
  const staged = staged_files === null ? "" : `: ${formatFiles(staged_files)}, ${formatSize(staged_bytes ?? 0)}`;
  return `${formatTime(Date.parse(last_sync) / 1000)}, ${last_synced}${staged}`;
}

function unpushedText({ unpushed_files, unpushed_bytes, purge_from }: VariableStatus, { unpushed }: Details): string {
  if (unpushed_files === null) return "unknown";
  if (unpushed_files === 0) return "";
  const purge = purge_from === null ? "" : `; a purge may take them from ${purge_from} on`;
  const names = named(unpushed.map(({ path, bytes }) => `${printable(path)} (${formatSize(bytes)})`), unpushed_files);
  return `${formatFiles(unpushed_files)}, ${formatSize(unpushed_bytes ?? 0)}: ${names}${purge}`;
}

function conflictsText({ name, conflicts }: VariableStatus, details: Details): string {
  if (conflicts === 0) return "";
  const names = details.conflicts.map(({ path, reason }) => `${printable(path)} (${reason})`);
  return `${named(names, conflicts)}; settle with \`euler-files resolve ${name}\``;
}

/** The patterns of the user by name; of those that come with the program only how many. */
function leftOutText({ exclude }: Details): string {
  const own = exclude.filter(({ from }) => from === "config").map(({ pattern }) => printable(pattern));
  const presets = exclude.length - own.length;
  const known = presets === 0 ? [] : [
    `${formatCount(presets)} patterns of lock files, unfinished downloads and secrets, see \`euler-files config show\``,
  ];
  return [...(own.length === 0 ? [] : [named(own, own.length)]), ...known].join("; ");
}

function outsideLinksText({ outside_links: { count, named: links } }: VariableStatus): string {
  if (count === 0) return "";
  return named(links.map(({ path, target }) => `${printable(path)} to ${printable(target)}`), count);
}

/** The first few of `count` things. */
function named(texts: readonly string[], count: number): string {
  const shown = texts.slice(0, MOST_SHOWN);
  const more = count - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${formatCount(more)} more` : "");
}

const MOST_SHOWN = 8;
