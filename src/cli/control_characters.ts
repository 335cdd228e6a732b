// Control characters on the way to a terminal: file names, output of other programs and records may hold sequences that move
// the cursor, hide a line or answer a question for the user. All text passes through here once, at the output.

/** Controls of ASCII and Latin 1 except tab and newline, and characters that change the direction of text (UAX 9). */
const CONTROL = String.raw`[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]`;

/** The colours that style.ts sets. */
const OWN_COLOUR = String.raw`\x1b\[(?:[12]|22|3[12369])m`;

const CONTROLS = new RegExp(CONTROL, "g");
const COLOURS_AND_CONTROLS = new RegExp(`${OWN_COLOUR}|${CONTROL}`, "g");

/** The text with control characters made visible; `styled` text keeps the colours that style.ts sets. */
export function neutralText(text: string, form: "styled" | "plain"): string {
  if (form === "plain") return text.replace(CONTROLS, visible);
  return text.replace(COLOURS_AND_CONTROLS, (match) => match.length > 1 ? match : visible(match));
}

/** A program's output: a carriage return, which would overwrite its own line, begins a new line. */
export function neutralLines(text: string): string {
  return neutralText(text.replace(/\r+\n?/g, "\n"), "plain");
}

function visible(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`;
}
