// Checks without changing anything whether one tree is an exact copy of another: the second comparison after a migration.
import type { System } from "../system/system.ts";
import type { DirectoryPlan } from "./decide.ts";
import { rulesFor } from "./intent.ts";
import { joinName } from "../posix/file_names.ts";
import { walkTrees } from "./walk.ts";
import { type FileSystemTraits, USUAL_TRAITS } from "./traits.ts";
import { prepareJobRunner } from "./job_runner.ts";

/** One name that isn't the same in both trees. */
export interface TreeDifference {
  /** Relative to the roots. */
  readonly path: string;
  readonly kind: "missing" | "different" | "other permissions" | "extra" | "unreadable";
}

/** How closely two trees are compared. */
export interface ComparisonOptions {
  /** What the file system of the copy keeps of names, modes and times; by default everything. */
  readonly traits?: FileSystemTraits | undefined;
  /** Files modified since this time are compared by content, too, in seconds since 1970. */
  readonly contentsSinceSeconds?: number | undefined;
}

/** Compares two trees in content, modes and times, as the file system of `to` keeps them. No differences: `to` is a copy. */
export async function compareTrees(
  from: string,
  to: string,
  system: System,
  { traits = USUAL_TRAITS, contentsSinceSeconds }: ComparisonOptions = {},
): Promise<{ readonly files: number; readonly sizeBytes: number; readonly differences: readonly TreeDifference[] }> {
  await using runner = await prepareJobRunner({ roots: [from, to] }, system);
  const differences: TreeDifference[] = [];
  let files = 0;
  let sizeBytes = 0;
  await walkTrees(
    {
      ...{ from, to, record: undefined, contentsSinceSeconds },
      rules: rulesFor("compare", { traits }),
    },
    {
      onPlan(plan) {
        differences.push(...differencesIn(plan));
        for (const [, state] of plan.records) {
          if (state.type !== "directory") files++;
          sizeBytes += state.sizeBytes;
        }
      },
      onUnreadable: (directory) => void differences.push({ path: directory, kind: "unreadable" }),
    },
    runner,
  );
  return { files, sizeBytes, differences };
}

function differencesIn(plan: DirectoryPlan): TreeDifference[] {
  const replaced = new Set(plan.clears.map((entry) => entry.name));
  const at = (entries: readonly { readonly name: string }[], kind: TreeDifference["kind"]) =>
    entries.map(({ name }) => ({ path: joinName(plan.directory, name), kind }));
  return [
    ...at([...plan.transfers, ...plan.databases.flatMap(({ transfers }) => transfers)], "missing"),
    ...at(plan.linked.filter(({ state }) => state === "to transfer").map(({ from }) => from), "missing"),
    ...plan.makes.map(({ name }) => ({
      path: joinName(plan.directory, name),
      kind: replaced.has(name) ? "different" as const : "missing" as const,
    })),
    ...at(plan.modes, "other permissions"),
    ...at(plan.kept, "different"),
    ...at(plan.extras, "extra"),
  ];
}
