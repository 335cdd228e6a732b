// How large and deep a JSON text written by people may be: beyond that it is another file under a wrong name, and looking for
// its faults would take minutes. Pure.

/** A configuration with a thousand variables has a quarter of this. */
export const MOST_TEXT_BYTES: number = 1024 * 1024;

/** Nothing that this program knows is nested so deeply, and recursive parsers need a limit. */
const MOST_LEVELS = 64;

/** Why a text is refused before it is parsed, as the continuation of its name; undefined if it is accepted. */
export function faultOfJsonText(text: string): string | undefined {
  if (text.length > MOST_TEXT_BYTES) return faultOfSize();
  return isTooDeep(text) ? `is nested more than ${MOST_LEVELS} levels deep` : undefined;
}

/** The message about a text that is too large. */
export function faultOfSize(): string {
  return "is larger than 1 MB";
}

/** Whether brackets are nested too deeply; those in strings and comments do not count. */
function isTooDeep(text: string): boolean {
  let levels = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '"') index = endOfString(text, index);
    else if (character === "/" && text[index + 1] === "/") index = indexOrEnd(text, "\n", index);
    else if (character === "/" && text[index + 1] === "*") index = indexOrEnd(text, "*/", index + 2) + 1;
    else if (character === "{" || character === "[") {
      levels++;
      if (levels > MOST_LEVELS) return true;
    } else if (character === "}" || character === "]") levels--;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === '"' || text[index] === "\n") return index;
  }
  return text.length;
}

function indexOrEnd(text: string, part: string, start: number): number {
  const index = text.indexOf(part, start);
  return index === -1 ? text.length : index;
}
