// A push leaves files alone that were deleted at the source, unless a name that it transfers needs them (needed_names.ts). Only
// the end of the walk tells which those are: links tell it by where they lead, references in a cache without links by the names
// in their text. So plans with such files are held until then, and so are the plans below them, since directories are executed
// from the top down.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { namedPaths } from "./named_paths.ts";
import { isReference, type Named, NeededNames } from "./needed_names.ts";
import { unitOf } from "./phases.ts";
import type { TransferRequest } from "./request.ts";
import { type WalkReceiver, type WalkRequest, walkTrees } from "./walk.ts";

/** Walks as {@linkcode walkTrees} does; a push also transfers what was deleted at the source and is needed again. */
export async function walkForTransfer(
  request: WalkRequest,
  links: TransferRequest["linkRoots"],
  receiver: WalkReceiver,
  runner: JobRunner,
): Promise<void> {
  if (request.rules.policy !== "push") return await walkTrees(request, receiver, runner);
  const held = new HeldDeletions(links?.source);
  const onPlan = (plan: DirectoryPlan, there: readonly Entry[]) =>
    held.take(plan, there) ? undefined : receiver.onPlan(plan, there);
  await walkTrees(request, { ...receiver, onPlan }, runner);
  for (const { plan, there } of await held.release(request.from, runner)) await receiver.onPlan(plan, there);
}

class HeldDeletions {
  readonly #plans = new Map<string, { readonly plan: DirectoryPlan; readonly there: readonly Entry[] }>();
  readonly #needed: NeededNames;
  /** References that are transferred, by their unit. */
  readonly #references = new Map<string, string[]>();
  /** Directories of links that are transferred, or were deleted at the source. */
  readonly #links: string[] = [];

  constructor(shown: string | undefined) {
    this.#needed = new NeededNames(shown);
  }

  /** Whether a plan is held. */
  take(plan: DirectoryPlan, there: readonly Entry[]): boolean {
    const { directory } = plan;
    for (const entry of transfersIn(plan)) {
      if (entry.type === "link") {
        this.#needed.addLink(directory, entry.linkTarget);
        this.#links.push(directory);
      } else if (isReference({ directory, entry })) {
        const unit = unitOf(directory, entry.name);
        const known = this.#references.get(unit) ?? [];
        this.#references.set(unit, known);
        known.push(joinName(directory, entry.name));
      }
    }
    const isHeld = plan.kept.some(({ from }) => from !== undefined) || this.#isBelowHeld(directory);
    if (isHeld) this.#plans.set(directory, { plan, there });
    return isHeld;
  }

  #isBelowHeld(directory: string): boolean {
    if (this.#plans.size === 0) return false;
    for (let path = directory; path !== ""; path = splitLast(path)[0]) if (this.#plans.has(path)) return true;
    return this.#plans.has("");
  }

  /** The held plans, which transfer what is needed. References are read below `root`. */
  async release(
    root: string,
    runner: JobRunner,
  ): Promise<{ readonly plan: DirectoryPlan; readonly there: readonly Entry[] }[]> {
    const deleted: Named[] = [...this.#plans.values()].flatMap(({ plan: { directory, kept } }) =>
      kept.flatMap(({ from }) => from === undefined ? [] : [{ directory, entry: from }])
    );
    const links = [
      ...this.#links,
      ...deleted.filter(({ entry }) => entry.type === "link").map(({ directory }) => directory),
    ];
    const files = deleted.filter((name) => !isReference(name));
    for (const [unit, references] of this.#references) {
      // Where links lead to the files of a unit, they tell which files are needed.
      if (links.some((path) => unit === "" || path === unit || path.startsWith(`${unit}/`))) continue;
      for (const path of await namedPaths({ root, unit, references }, files, runner)) this.#needed.addUnit(path);
    }
    const needed = this.#needed.among(files);
    const paths = new Set([...needed].map(({ directory, entry }) => joinName(directory, entry.name)));
    return [...this.#plans.values()].map(({ plan, there }) => ({ plan: transferring(plan, paths), there }));
  }
}

function transfersIn({ transfers, linked }: DirectoryPlan): Entry[] {
  return [...transfers, ...linked.filter(({ state }) => state === "to transfer").map(({ from }) => from)];
}

/** The plan that also transfers some of the files that it kept. */
function transferring(plan: DirectoryPlan, paths: ReadonlySet<string>): DirectoryPlan {
  const found = new Map(
    plan.kept.flatMap(({ name, from }) =>
      from !== undefined && paths.has(joinName(plan.directory, name)) ? [[name, from] as const] : []
    ),
  );
  if (found.size === 0) return plan;
  const [single, linked] = [true, false].map((isSingle) =>
    [...found.values()].filter(({ linkGroup }) => (linkGroup === "") === isSingle)
  ) as [Entry[], Entry[]];
  return {
    ...plan,
    kept: plan.kept.filter(({ name }) => !found.has(name)),
    transfers: [...plan.transfers, ...single],
    linked: [...plan.linked, ...linked.map((from) => ({ from, to: undefined, state: "to transfer" as const }))],
    records: plan.records.map(([name, state]) => [name, found.get(name) ?? state]),
  };
}
