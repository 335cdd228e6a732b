// Which names to remove are needed by names that stay on the receiving side (needed_names.ts). The walk skips directories that
// only the receiving side has, and looks at nothing but names where the sending side is unchanged: what the walk did not see is
// read when something is to be removed, which is rare.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { Kept } from "./kept_names.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";
import { type Named, NeededNames } from "./needed_names.ts";
import type { KeptPath, TransferRequest } from "./request.ts";
import type { UnchangedDirectory } from "./walk.ts";
import type { Entry } from "./entry.ts";

/** Directories that one job lists. */
const LIST_AT_ONCE = 32;

/** Gathers during the walk of an update which names stay on the receiving side. */
export class StayingNames {
  readonly #needed: NeededNames;
  /** Directories of which only the recorded names are known. */
  readonly #partly: string[] = [];
  /** Directories that only the receiving side has. */
  readonly #foreign: string[] = [];

  constructor(
    readonly request: Pick<TransferRequest, "to" | "intent" | "record" | "linkRoots">,
    readonly runner: JobRunner,
  ) {
    this.#needed = new NeededNames(request.linkRoots?.source);
  }

  /** Takes the plan of a directory. `there`: the entries of the receiving side. */
  add(plan: DirectoryPlan, there: readonly Entry[]): void {
    if (this.request.intent !== "stage-update") return;
    const { directory } = plan;
    const kept = new Map(plan.kept.map(({ name, reason }) => [name, reason]));
    let known: Set<string> | undefined;
    for (const entry of there) {
      const reason = kept.get(entry.name);
      if (reason !== undefined) this.#needed.addKept({ directory, entry }, reason);
      else if (!(known ??= namesIn(plan)).has(entry.name)) this.#addForeign({ directory, entry });
    }
  }

  /** Takes a directory that is unchanged at the sending side. */
  addUnchanged({ directory, others }: UnchangedDirectory): void {
    if (others === "some") this.#partly.push(directory);
  }

  #addForeign(name: Named): void {
    if (name.entry.type === "directory") this.#foreign.push(joinName(name.directory, name.entry.name));
    else this.#needed.addForeign(name);
  }

  /** Those of the names to remove that are needed. `kept`: what was kept since the walk. */
  async among<T extends Pick<Item, "directory" | "entry">>(
    names: readonly T[],
    kept: readonly KeptPath[] = [],
  ): Promise<Set<T>> {
    if (names.length === 0 || this.request.intent !== "stage-update") return new Set();
    await this.#readRest();
    const there = kept.length === 0 ? new Map<string, Entry>() : await this.#look(kept.map(({ path }) => path));
    for (const { path, reason } of kept) {
      const entry = there.get(path);
      if (entry !== undefined) this.#needed.addKept({ directory: splitLast(path)[0], entry }, reason);
    }
    return this.#needed.among(names);
  }

  /** Reads what the walk did not see. */
  async #readRest(): Promise<void> {
    const { record } = this.request;
    const partly = this.#partly.splice(0);
    for (let start = 0; start < partly.length; start += LIST_AT_ONCE) {
      await this.#read(
        partly.slice(start, start + LIST_AT_ONCE),
        (directory, name) => record?.entriesOf(directory)?.has(name) !== true,
      );
    }
    for (let batch = this.#foreign.splice(0, LIST_AT_ONCE); batch.length > 0;) {
      await this.#read(batch, () => true);
      batch = this.#foreign.splice(0, LIST_AT_ONCE);
    }
  }

  async #read(
    directories: readonly string[],
    isForeign: (directory: string, name: string) => boolean,
  ): Promise<void> {
    const { entries } = await listDirectories({ root: this.request.to, facts: "names" }, directories, this.runner);
    const links: string[] = [];
    for (const [directory, listing] of entries) {
      // What cannot be read may need everything beside it.
      if ("unreadable" in listing) {
        if (listing.cause !== "absent") this.#needed.addUnit(splitLast(directory)[0]);
        continue;
      }
      for (const entry of listing.entries) {
        if (!isForeign(directory, entry.name)) continue;
        if (entry.type === "link") links.push(joinName(directory, entry.name));
        else this.#addForeign({ directory, entry });
      }
    }
    for (const [path, entry] of await this.#look(links)) this.#addForeign({ directory: splitLast(path)[0], entry });
  }

  async #look(paths: readonly string[]): Promise<Map<string, Entry>> {
    return await lookAtPaths(this.request.to, paths, this.runner);
  }
}

/** The names that a plan knows from the sending side or the record. */
function namesIn({ records, removals, clears, databases }: DirectoryPlan): Set<string> {
  return new Set([
    ...records.map(([name]) => name),
    ...[...removals, ...clears, ...databases.flatMap(({ there }) => there)].map(({ name }) => name),
  ]);
}

/** Plans without the removals that names on the receiving side forbid, and the names that are kept. */
export async function withoutNeededRemovals(
  plans: readonly DirectoryPlan[],
  staying: StayingNames,
): Promise<{ readonly plans: readonly DirectoryPlan[]; readonly kept: readonly KeptPath[] }> {
  const needed = await staying.among(plans.flatMap((plan) => removalsIn(plan)));
  if (needed.size === 0) return { plans, kept: [] };
  const kept: KeptPath[] = [];
  const byDirectory = Map.groupBy(needed, ({ directory }) => directory);
  const changed = plans.map((plan) => {
    const names = new Map(byDirectory.get(plan.directory)?.map(({ entry }) => [entry.name, entry]));
    const files = [...names.values()].filter(({ type }) => type !== "directory");
    const isOther = ({ name }: { readonly name: string }) => !names.has(name);
    kept.push(...files.map(({ name }) => ({ path: joinName(plan.directory, name), reason: "needed there" as const })));
    if (names.size === 0) return plan;
    return {
      ...plan,
      removals: plan.removals.filter(isOther),
      databases: plan.databases.filter(({ transfers, removals }) => transfers.length > 0 || removals.every(isOther)),
      leaves: "something" as const,
      kept: [...plan.kept, ...files.map(({ name }): Kept => ({ name, reason: "needed there" }))],
      records: [...plan.records.filter(([name]) => !names.has(name)), ...names],
    };
  });
  return { plans: changed, kept };
}

function removalsIn({ directory, removals, databases }: DirectoryPlan): Named[] {
  const gone = databases.filter(({ transfers }) => transfers.length === 0).flatMap(({ removals }) => removals);
  return [...removals, ...gone].map((entry) => ({ directory, entry }));
}
