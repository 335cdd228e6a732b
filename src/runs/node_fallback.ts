// `--fallback scratch`: where a copy could not be made on the disks of the nodes, the copy on scratch is used, and that is said.
import type { Context } from "../contract/command.ts";
import type { SyncResult } from "./sync_results.ts";

/** What to do where a node's disk cannot be used. */
export const FALLBACKS = ["scratch"] as const;

/** One of {@linkcode FALLBACKS}; undefined: the variable fails. */
export type Fallback = typeof FALLBACKS[number] | undefined;

/**
 * Removes the results of copies on nodes that failed, so that the copies on scratch are used. Returns the names of those without a
 * copy of their own on scratch: redirected variables, and parts of others.
 */
export function fallBack(results: SyncResult[], { report }: Pick<Context, "report">): string[] {
  const without: string[] = [];
  for (const failed of results.filter(({ tier, error }) => tier === "node" && error !== undefined)) {
    const { name } = failed;
    const { message, lines } = failed.error!;
    results.splice(results.indexOf(failed), 1);
    const index = results.findIndex((result) => result.tier === "scratch" && result.name === name);
    const text = [`${message}: the one on scratch is used`, ...lines].join("\n  ");
    report({ type: "warning", subject: name, text });
    if (index === -1) without.push(name);
    else results[index] = withWarning(results[index]!, text);
  }
  return without;
}

/** The result with one more warning. */
export function withWarning(result: SyncResult, text: string): SyncResult {
  return { ...result, warnings: [...result.warnings, text] };
}
