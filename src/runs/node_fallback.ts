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
  for (const item of items.filter(({ tier, result }) => tier === "node" && result.error !== undefined)) {
    const { variable: { name }, result: { error } } = item;
    const { message, lines } = error!;
    items.splice(items.indexOf(item), 1);
    const index = items.findIndex(({ tier, variable }) => tier === "scratch" && variable.name === name);
    const text = [`${message}: the one on scratch is used`, ...lines].join("\n  ");
    report({ type: "warning", subject: name, text });
    if (index === -1) without.push(name);
    else items[index] = { ...withWarning(items[index]!, text), usable: true };
  }
  return without;
}

/** The item with one more warning in its result. */
export function withWarning({ result, ...item }: SyncItem, text: string): SyncItem {
  return { ...item, result: { ...result, warnings: [...result.warnings, text] } };
}
