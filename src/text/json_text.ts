// How this program writes JSON for programs to read.

/** One document: two blanks of indent, keys sorted, a newline at the end; scripts depend on this form. */
export function jsonText(value: unknown): string {
  return JSON.stringify(sortKeys(value), null, 2).replace(TERMINAL_CONTROLS, escaped) + "\n";
}

/** One document in one line, without a newline at its end. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(sortKeys(value)).replace(TERMINAL_CONTROLS, escaped);
}

/** JSON.stringify escapes only the controls of ASCII; a document may be shown on a terminal, so these are escaped, too. */
const TERMINAL_CONTROLS = /[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The value with sorted keys. Strict parsers refuse lone surrogates, so they become U+FFFD. */
function sortKeys(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map((
      [key, inner],
    ) => [key.toWellFormed(), sortKeys(inner)]),
  );
}
