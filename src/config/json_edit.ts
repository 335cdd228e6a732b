// Edits of JSON text that leave every other character unchanged: comments, blanks, trailing commas and unusual layouts stay.
// (jsonc-parser's own `modify` reformats the lines it touches and deletes comments with what it removes.) Pure.
import { findNodeAtLocation, type Node, parseTree } from "jsonc-parser";

/** A path in a JSON value: names of fields and indexes of lists. */
export type JsonPath = readonly (string | number)[];

/** Thrown if the edit is impossible: the path leads through a value that is neither object nor list. */
export class NoSuchParent extends Error {
  override readonly name = "NoSuchPlace";
}

interface Replacement {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * Sets the value at the path, or removes it if the value is undefined. Missing objects on the path are made; -1 as
 * an index appends to a list. The text must be JSON, comments and trailing commas allowed.
 */
export function editJson(text: string, path: JsonPath, value: unknown): string {
  const root = parseTree(text, [], { allowTrailingComma: true });
  if (root === undefined) throw new NoSuchParent("the file is empty");
  const node = path.at(-1) === -1 ? undefined : findNodeAtLocation(root, [...path]);
  if (value === undefined) return node === undefined ? text : apply(text, removal(text, node));
  if (node === undefined) return apply(text, insertion(text, root, path, value));
  return apply(text, [{ from: node.offset, to: endOf(node), text: show(value, lineIndent(text, node.offset), text) }]);
}

function apply(text: string, replacements: readonly Replacement[]): string {
  return [...replacements].sort((one, other) => other.from - one.from)
    .reduce((edited, { from, to, text: part }) => edited.slice(0, from) + part + edited.slice(to), text);
}

/** Inserts what is missing into the deepest existing object or list on the path, after its last item. */
function insertion(text: string, root: Node, path: JsonPath, value: unknown): Replacement[] {
  let depth = path.length - 1;
  while (depth > 0 && findNodeAtLocation(root, path.slice(0, depth)) === undefined) depth--;
  const around = depth === 0 ? root : findNodeAtLocation(root, path.slice(0, depth))!;
  const part = path[depth];
  if (around.type !== (typeof part === "number" ? "array" : "object")) {
    throw new NoSuchParent(`what is around it is ${around.type === "array" ? "a list" : `of type ${around.type}`}`);
  }
  const missing = path.slice(depth + 1).reduceRight<unknown>(
    (inner, step) => typeof step === "number" ? [inner] : { [step]: inner },
    value,
  );
  const last = around.children?.at(-1);
  const close = endOf(around) - 1;
  const indent = lineIndent(text, around.offset);
  const inOneLine = last !== undefined && !/[\r\n]/.test(text.slice(around.offset, close));
  const itemIndent = last !== undefined && !inOneLine ? lineIndent(text, last.offset) : indent + indentUnit(text);
  const key = typeof part === "number" ? "" : `${JSON.stringify(part)}: `;
  const item = key + show(missing, inOneLine ? indent : itemIndent, text);
  if (last === undefined) {
    const { end } = scanTrivia(text, around.offset + 1);
    const newLine = text.slice(end, close).includes("\n") ? "" : lineEnd(text) + indent;
    return [{ from: end, to: end, text: lineEnd(text) + itemIndent + item + newLine }];
  }
  const { comma, end } = scanTrivia(text, endOf(last));
  const lead = inOneLine ? " " : lineEnd(text) + itemIndent;
  const trailing = { from: end, to: end, text: lead + item + (comma === undefined ? "" : ",") };
  if (comma !== undefined) return [trailing];
  if (end === endOf(last)) return [{ ...trailing, text: `,${trailing.text}` }];
  return [{ from: endOf(last), to: endOf(last), text: "," }, trailing];
}

/** Removes a field or an item, its comma, and the line if that becomes empty. Comments around it stay. */
function removal(text: string, value: Node): Replacement[] {
  const node = value.parent?.type === "property" ? value.parent : value;
  const siblings = node.parent?.children ?? [];
  const previous = siblings[siblings.indexOf(node) - 1];
  const { comma } = scanTrivia(text, endOf(node));
  const isLast = siblings.at(-1) === node;
  const cuts: Replacement[] = [];
  // The comma after it is removed too; if it was the last item, the comma before it.
  let [from, to] = [node.offset, endOf(node)];
  if (comma !== undefined && text.slice(to, comma).trim() === "") to = comma + 1;
  else if (comma !== undefined) cuts.push({ from: comma, to: comma + 1, text: "" });
  if (isLast && comma === undefined && previous !== undefined) {
    const before = scanTrivia(text, endOf(previous)).comma;
    if (before !== undefined) cuts.push({ from: before, to: before + 1, text: "" });
  }
  const lineStart = text.lastIndexOf("\n", from - 1) + 1;
  const rest = /^[ \t]*\r?\n/.exec(text.slice(to))?.[0];
  if (text.slice(lineStart, from).trim() === "" && rest !== undefined) [from, to] = [lineStart, to + rest.length];
  else if (!isLast) to += /^[ \t]*/.exec(text.slice(to))![0].length;
  else from -= /[ \t]*$/.exec(text.slice(lineStart, from))![0].length;
  return [...cuts, { from, to, text: "" }];
}

/** Scans from `start` to the next item or bracket: the offset of a comma, and the end of the last comment or comma. */
function scanTrivia(text: string, start: number): { comma: number | undefined; end: number } {
  const trivia = /[ \t\r\n]+|\/\/[^\r\n]*|\/\*[\s\S]*?\*\/|,/y;
  trivia.lastIndex = start;
  let comma: number | undefined;
  let end = start;
  for (let match = trivia.exec(text); match !== null; match = trivia.exec(text)) {
    if (match[0] === ",") comma ??= match.index;
    if (match[0].trim() !== "") end = trivia.lastIndex;
  }
  return { comma, end };
}

function endOf(node: Node): number {
  return node.offset + node.length;
}

/** A value as text, its further lines indented as the line it starts in. */
function show(value: unknown, indent: string, text: string): string {
  return JSON.stringify(value, null, indentUnit(text)).replaceAll("\n", lineEnd(text) + indent);
}

function lineIndent(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1))![0];
}

/** One step of indentation, as the text has it. */
function indentUnit(text: string): string {
  return /^([ \t]+)"/m.exec(text)?.[1] ?? "  ";
}

function lineEnd(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}
