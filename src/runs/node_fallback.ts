// `--fallback scratch`: where a copy could not be made on the disks of the nodes, the copy on scratch is used, and that is said.
import type { Context } from "../contract/command.ts";
import type { SyncItem } from "./sync_items.ts";

/** What to do where a node's disk cannot be used. */
export const FALLBACKS = ["scratch"] as const;

/** One of {@linkcode FALLBACKS}; undefined: the variable fails. */
export type Fallback = typeof FALLBACKS[number] | undefined;

/**
 * Removes the items of copies on nodes that failed, and lets the copies on scratch be used. Returns the names of those without a
 * copy of their own on scratch: redirected variables, and parts of others.
 */
export function fallBack(items: SyncItem[], { report }: Pick<Context, "report">): string[] {
  const without: string[] = [];
  for (const item of items.filter(({ tier, failure }) => tier === "node" && failure !== undefined)) {
    const { variable: { name }, failure } = item;
    const { message, lines } = failure!;
    items.splice(items.indexOf(item), 1);
    const index = items.findIndex(({ tier, variable }) => tier === "scratch" && variable.name === name);
    const text = [`${message}: the one on scratch is used`, ...lines].join("\n  ");
    report({ type: "warning", subject: name, text });
    const { result } = items[index] ?? {};
    if (result === undefined) without.push(name);
    else items[index] = { ...items[index]!, usable: true, result: { ...result, warnings: [...result.warnings, text] } };
  }
  return without;
}

/** The items with a warning in each result. */
export function withWarning(items: readonly SyncItem[], text: string): SyncItem[] {
  return items.map((item) => {
    const { result } = item;
    return result === undefined ? item : { ...item, result: { ...result, warnings: [...result.warnings, text] } };
  });
}
