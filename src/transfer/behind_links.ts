// A push never writes through a link. Where staging followed a link of the source, the target has a file or directory instead
// of the link; changes to it stay on the target and are named, and the source keeps its link. Pure.
import type { DirectoryPlan } from "./decide.ts";
import type { Kept } from "./kept_names.ts";
import type { EntryState } from "./entry.ts";

const REASON: Kept["reason"] = "a link at the source";

/**
 * A directory's plan without what would be written through a link: without everything if the directory `isBehind` a link, else
 * without the names that are links at the receiving side.
 */
export function withoutWritesThroughLinks(
  plan: DirectoryPlan,
  isBehind: boolean,
  recordOf: (name: string) => EntryState | undefined,
): DirectoryPlan {
  const followed = new Set(plan.replaces.filter((entry) => entry.isFollowed).map(({ name }) => name));
  for (const { from, to } of plan.linked) if (to?.isFollowed) followed.add(from.name);
  if (!isBehind && followed.size === 0) return plan;
  const isKept = (name: string) => isBehind || followed.has(name);
  const linked = plan.linked.filter(({ from, state }) => state === "to transfer" && isKept(from.name));
  const names = new Set([
    ...plan.transfers.map(({ name }) => name).filter(isKept),
    ...linked.map(({ from }) => from.name),
    ...(isBehind ? plan.makes.map(({ name }) => name) : []),
  ]);
  const made = new Set(isBehind ? plan.makes.map(({ name }) => name) : []);
  return {
    ...plan,
    transfers: plan.transfers.filter(({ name }) => !names.has(name)),
    replaces: plan.replaces.filter(({ name }) => !names.has(name)),
    // Their other names may be pushed, but as separate files.
    linked: plan.linked.filter(({ from }) => !isKept(from.name)),
    makes: plan.makes.filter(({ name }) => !made.has(name)),
    kept: [...plan.kept, ...[...names].map((name) => ({ name, reason: REASON }))],
    records: plan.records.flatMap(([name, state]): [string, EntryState][] => {
      if (!names.has(name)) return [[name, state]];
      const before = recordOf(name);
      return before === undefined ? [] : [[name, before]];
    }),
    descend: plan.descend.filter(({ name }) => !made.has(name)),
  };
}
