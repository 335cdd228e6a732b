// Everything that is wrong with a configuration's text, each fault with its line. Loaded only for a faulty text or on request.
import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { printable } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import { shortenTo } from "../text/shorten.ts";
import { checkConfig, fieldName, listUnknownFields } from "./config.ts";
import { describeIgnored, faultOfRsyncArgs, parseRsyncArgs } from "./rsync_extra_args.ts";
import { faultOfJsonText } from "./text_limits.ts";

/** One thing that is wrong. */
export interface Fault {
  /** A `warning` leaves the configuration usable. */
  readonly severity: "error" | "warning";
  /** `syntax`: the text isn't JSON, so nothing else could be checked. */
  readonly kind: "syntax" | "value";
  /** Such as `vars.HF_HOME.source`; `the file` for the whole. */
  readonly field: string;
  /** A sentence with the field's name but without its line: `parallel_jobs must be …`. */
  readonly message: string;
  readonly hint?: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** The largest number of faults of each sort: locating one scans the whole file, and a person doesn't read more at once. */
const MOST_FAULTS = 50;

/** A longer field or value in a message is shortened. */
const MOST_COLUMNS = 400;

/** The configuration as a value, comments and trailing commas allowed; or its syntax errors. */
export function parseConfigText(text: string): { value: unknown } | { faults: Fault[] } {
  const parsed = parse(text);
  return "faults" in parsed ? parsed : { value: valueOf(parsed.root) };
}

/** Every fault of the text, in the order of lines; with syntax errors nothing else is listed. */
export function listConfigFaults(text: string): Fault[] {
  const parsed = parse(text);
  if ("faults" in parsed) return parsed.faults;
  const { root } = parsed;
  const value = valueOf(root);
  const faults = listDuplicates(text, root);
  const checked = checkConfig(value);
  if ("faults" in checked) {
    for (const { path, what } of checked.faults.slice(0, MOST_FAULTS)) {
      const field = fieldName(path);
      faults.push(fault("error", text, nodeNear(root, path), field, `${field} ${what}`, hintForField(path)));
    }
  }
  for (const { path, known } of listUnknownFields(value).slice(0, MOST_FAULTS)) {
    const field = fieldName(path);
    const near = closestString(String(path.at(-1)), known);
    const hint = near === undefined ? undefined : `did you mean ${near}?`;
    faults.push(
      fault("warning", text, nodeNear(root, path), field, `${field} is not a known field; it is kept as it is`, hint),
    );
  }
  faults.push(...listUnusedArgs(text, root, value));
  return faults.sort((one, other) => one.line - other.line || one.column - other.column);
}

function listUnusedArgs(text: string, root: Node, value: unknown): Fault[] {
  const { rsync_extra_args: args, engine } = (value ?? {}) as { rsync_extra_args?: unknown; engine?: unknown };
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === "string") || faultOfRsyncArgs(args)) return [];
  const parsed = parseRsyncArgs(args);
  const node = nodeNear(root, ["rsync_extra_args"]);
  const warn = (message: string) => fault("warning", text, node, "rsync_extra_args", `rsync_extra_args: ${message}`);
  return [
    ...(parsed.deleteExtras ? [warn("what deletes on the receiving side is for sync; push deletes nothing")] : []),
    ...describeIgnored(parsed).map(warn),
    ...(engine !== "native" || parsed.forRsync.length === 0
      ? []
      : [warn(`${parsed.forRsync.join(" ")} makes rsync the engine, although engine is "native"`)]),
  ];
}

function parse(text: string): { root: Node } | { faults: Fault[] } {
  const outsized = faultOfJsonText(text);
  if (outsized !== undefined) {
    return {
      faults: [{
        severity: "error",
        kind: "syntax",
        field: "the file",
        message: `the file ${outsized}`,
        line: 1,
        column: 1,
      }],
    };
  }
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  if (root !== undefined && errors.length === 0) return { root };
  const place = (offset: number, message: string): Fault => ({
    severity: "error",
    kind: "syntax",
    field: "the file",
    message,
    ...lineAndColumn(text, offset),
  });
  if (text.trim() === "") return { faults: [place(0, "the file is empty")] };
  return {
    faults: errors.slice(0, MOST_FAULTS).map(({ error, offset }) =>
      place(offset, describeSyntax(printParseErrorCode(error)))
    ),
  };
}

/** jsonc-parser's name of an error in words: `CommaExpected` → `a comma is expected`. */
function describeSyntax(code: string): string {
  const words = code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  const expected = /^(.*) expected$/.exec(words)?.[1];
  if (expected !== undefined) return `${/^[aeiou]/.test(expected) ? "an" : "a"} ${expected} is expected here`;
  return words.startsWith("invalid") || words.startsWith("unexpected") ? `${words} here` : words;
}

function valueOf(node: Node): unknown {
  if (node.type === "array") return (node.children ?? []).map(valueOf);
  if (node.type !== "object") return node.value;
  const object: Record<string, unknown> = {};
  for (const { children } of node.children ?? []) {
    const [key, value] = children ?? [];
    // Plain assignment would lose a field named __proto__.
    if (key !== undefined && value !== undefined) {
      Object.defineProperty(object, key.value, {
        value: valueOf(value),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
  }
  return object;
}

function listDuplicates(text: string, root: Node): Fault[] {
  const faults: Fault[] = [];
  const visit = (node: Node, path: (string | number)[]) => {
    const seen = new Set<string>();
    (node.children ?? []).forEach((child, index) => {
      if (node.type === "array") return visit(child, [...path, index]);
      const [key, value] = child.children ?? [];
      if (key === undefined || value === undefined) return;
      const here = [...path, key.value as string];
      const field = fieldName(here);
      if (seen.has(key.value) && faults.length < MOST_FAULTS) {
        faults.push(fault("error", text, key, field, `${field} is given twice`, "keep one of the two"));
      }
      seen.add(key.value);
      visit(value, here);
    });
  };
  visit(root, []);
  return faults;
}

function fault(
  severity: Fault["severity"],
  text: string,
  node: Node,
  field: string,
  message: string,
  hint?: string,
): Fault {
  return {
    severity,
    kind: "value",
    field: shortenTo(printable(field), MOST_COLUMNS),
    message: shortenTo(printable(message), MOST_COLUMNS),
    ...(hint === undefined ? {} : { hint: shortenTo(hint, MOST_COLUMNS) }),
    ...lineAndColumn(text, node.offset),
  };
}

/** The node at the path, or the nearest enclosing node if it is missing. */
function nodeNear(root: Node, path: readonly (string | number)[]): Node {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    if (node !== undefined) return node;
  }
  return root;
}

/** Line and column of a field in a configuration's text, or of the nearest enclosing one; both counted from 1. */
export function locateField(text: string, path: readonly (string | number)[]): { line: number; column: number } {
  const root = parseTree(text, [], { allowTrailingComma: true });
  return lineAndColumn(text, root === undefined ? 0 : nodeNear(root, path).offset);
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** How to repair a field: the command that sets it, with a valid example value. */
function hintForField(path: readonly (string | number)[]): string {
  const [first, name] = path;
  if (first === "version") return "run `euler-files init` to write a new configuration; the old one is put aside";
  if (first === "scratch_base") return "euler-files config set scratch_base '$SCRATCH'";
  if (first === "vars" && path.length === 2) return `rename or remove ${String(name)} with \`euler-files config edit\``;
  if (first === "vars" && path[2] === "source") return `euler-files config set vars.${String(name)}.source DIRECTORY`;
  if (first === "parallel_jobs" || first === "lock_timeout_seconds" || first === "skip_if_fresh_seconds") {
    return `euler-files config set ${first} ${EXAMPLES[first]}`;
  }
  return "mend it with `euler-files config edit`";
}

const EXAMPLES = { parallel_jobs: 4, lock_timeout_seconds: 300, skip_if_fresh_seconds: 3600 };
