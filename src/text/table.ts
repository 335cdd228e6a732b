// Tables for people: columns separated by blanks, a head, no lines. Readable in any terminal and easy for awk.
import Table from "cli-table3";

const NO_LINES = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ].map((line) => [line, ""]),
);

/** The rows below their head, ending with a line break. Cells may be coloured. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    style: { "head": [], "border": [], "padding-left": 0, "padding-right": 1, "compact": true },
    chars: { ...NO_LINES, middle: " " },
  });
  for (const row of rows) table.push([...row]);
  return table.toString().split("\n").map((line) => line.trimEnd()).join("\n") + "\n";
}
