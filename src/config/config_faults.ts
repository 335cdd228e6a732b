// Everything that is wrong with a configuration's text, each fault with its line. Loaded only for a faulty text or on request.
import { findNodeAtLocation, listDuplicateKeys, type Node, parseJsonc, positionOf, valueOf } from "../text/jsonc.ts";
import { printable } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import { shortenTo } from "../text/shorten.ts";
import { checkConfig, listUnknownFields } from "./config.ts";
import { fieldName } from "./field_names.ts";
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
  const parsed = parseJsonc(text, "the file");
  if ("root" in parsed) return parsed;
  return {
    faults: parsed.faults.slice(0, MOST_FAULTS).map((fault) => ({
      severity: "error",
      kind: "syntax",
      field: "the file",
      ...fault,
    })),
  };
}

function listDuplicates(text: string, root: Node): Fault[] {
  return listDuplicateKeys(root).slice(0, MOST_FAULTS).map(({ path, node }) => {
    const field = fieldName(path);
    return fault("error", text, node, field, `${field} is given twice`, "keep one of the two");
  });
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
    ...positionOf(text, node.offset),
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
  const parsed = parseJsonc(text, "the file");
  return positionOf(text, "faults" in parsed ? 0 : nodeNear(parsed.root, path).offset);
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
