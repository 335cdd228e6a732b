// JSON as people write it: comments, trailing commas and a byte order mark are allowed, and every fault has its line. Pure.
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";

export { findNodeAtLocation, type Node } from "jsonc-parser";

/** A position in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A syntax error in words, and where it is. */
export interface SyntaxFault extends Position {
  readonly message: string;
}

/** A key that an object has twice, at its second occurrence. */
export interface DuplicateKey {
  readonly path: readonly (string | number)[];
  readonly node: Node;
}

/** Parses a text, or lists its syntax errors: at least one. `name` names an empty text in the message. */
export function parseJsonc(text: string, name: string): { root: Node } | { faults: SyntaxFault[] } {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  if (root !== undefined && errors.length === 0) return { root };
  if (text.trim() === "") return { faults: [{ message: `${name} is empty`, line: 1, column: 1 }] };
  return {
    faults: errors.map(({ error, offset }) => ({
      message: describeSyntax(printParseErrorCode(error)),
      ...positionOf(text, offset),
    })),
  };
}

/** jsonc-parser's name of an error in words: `CommaExpected` → `a comma is expected here`. */
function describeSyntax(code: string): string {
  const words = code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  const expected = /^(.*) expected$/.exec(words)?.[1];
  if (expected !== undefined) return `${/^[aeiou]/.test(expected) ? "an" : "a"} ${expected} is expected here`;
  return words.startsWith("invalid") || words.startsWith("unexpected") ? `${words} here` : words;
}

/** The value of a node. Of a key that is given twice the last value is used, as by JSON.parse. */
export function valueOf(node: Node): unknown {
  if (node.type === "array") return (node.children ?? []).map(valueOf);
  if (node.type !== "object") return node.value;
  // Object.fromEntries keeps a field named __proto__; plain assignment would lose it.
  return Object.fromEntries((node.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? [];
    return key === undefined || value === undefined ? [] : [[key.value as string, valueOf(value)] as const];
  }));
}

/** Every key that its object has twice or more, in the order of the text. */
export function listDuplicateKeys(root: Node): DuplicateKey[] {
  const found: DuplicateKey[] = [];
  const visit = (node: Node, path: readonly (string | number)[]) => {
    const seen = new Set<string>();
    (node.children ?? []).forEach((child, index) => {
      if (node.type === "array") return visit(child, [...path, index]);
      const [key, value] = child.children ?? [];
      if (key === undefined || value === undefined) return;
      const here = [...path, key.value as string];
      if (seen.has(key.value)) found.push({ path: here, node: key });
      seen.add(key.value);
      visit(value, here);
    });
  };
  visit(root, []);
  return found;
}

/** The line and column of an offset. */
export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
