// Shortens texts: names to the columns of a terminal, paths of thousands of characters in a message. Pure.

/** Characters that take two columns (Unicode Standard Annex 11, wide), emoji included. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Characters that take no column: they combine with the one before. */
const COMBINING = /[\p{Mn}\p{Me}\u200b-\u200f\ufe0f]/u;

/** How many columns of a terminal a text takes. */
export function textWidth(text: string): number {
  // Most names are plain.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return [...text].reduce((width, character) => width + widthOf(character), 0);
}

function widthOf(character: string): number {
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The text in at most so many columns, with `…` in its middle if it is longer, because both ends of a path say most. */
export function shortenTo(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  if (columns < 1) return "";
  const characters = [...text];
  const front = takeColumns(characters, Math.floor((columns - 1) / 2));
  const back = takeColumns(characters.toReversed(), Math.ceil((columns - 1) / 2)).toReversed();
  return `${front.join("")}…${back.join("")}`;
}

function takeColumns(characters: readonly string[], columns: number): string[] {
  const taken: string[] = [];
  let width = 0;
  for (const character of characters) {
    width += widthOf(character);
    if (width > columns) break;
    taken.push(character);
  }
  return taken;
}

/** The text padded with blanks to so many columns. */
export function padTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - textWidth(text)));
}

/** A longer name or path in a message is shortened, then a line that still is longer than {@linkcode LONG_LINE}. */
const LONG_WORD = 400;
const LONG_LINE = 4000;

const LONG_WORDS = new RegExp(
  String.raw`"[^"\n]{${LONG_WORD + 1},}"|'[^'\n]{${LONG_WORD + 1},}'|[^\s"']{${LONG_WORD + 1},}`,
  "g",
);

/** A message with its paths shortened if they are thousands of characters long. Other messages stay unchanged. */
export function shortenMessage(text: string): string {
  if (text.length <= LONG_WORD) return text;
  return text.split("\n").map((line) => {
    if (line.length <= LONG_WORD) return line;
    return shortenTo(line.replace(LONG_WORDS, (word) => shortenTo(word, LONG_WORD)), LONG_LINE);
  }).join("\n");
}

/** A terminal that reports fewer columns is not one that a person reads. */
const LEAST_COLUMNS = 20;

/** A word for wrapping: a command in backticks and a quoted path stay on one line, so that they can be pasted. */
const WORDS = /(?:`[^`\n]*`|"[^"\n]*"|\S)+/g;

/** The text with its lines broken between words if they are wider than a terminal. Colours take no columns. */
export function wrapText(text: string, columns: number): string {
  if (columns < LEAST_COLUMNS) return text;
  return text.split("\n").map((line) => wrapLine(line, columns)).join("\n");
}

function wrapLine(line: string, columns: number): string {
  if (visibleWidth(line) <= columns) return line;
  const indent = /^ */.exec(line)![0];
  const lines: string[] = [];
  let current = indent;
  for (const word of line.match(WORDS) ?? []) {
    const longer = current === indent ? current + word : `${current} ${word}`;
    if (current !== indent && visibleWidth(longer) > columns) {
      lines.push(current);
      current = indent + word;
    } else current = longer;
  }
  return [...lines, current].join("\n");
}

function visibleWidth(text: string): number {
  // deno-lint-ignore no-control-regex -- escape sequences for colours begin with a control character
  return textWidth(text.replace(/\x1b\[[0-9;]*m/g, ""));
}
