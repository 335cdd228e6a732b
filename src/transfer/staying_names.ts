// Which names to remove are needed by names that stay on the receiving side (needed_names.ts). The walk skips directories that
// only the receiving side has, and looks at nothing but names where the sending side is unchanged: what the walk did not see is
// read when something is to be removed, which is rare.
import { decodeName, joinName, splitLast } from "../posix/file_names.ts";
import { pooledForEach } from "../system/pool.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { Kept } from "./kept_names.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";
import { isReference, type Named, NeededNames } from "./needed_names.ts";
import { isDatabaseName, phaseOf, pointsElsewhere, unitOf } from "./phases.ts";
import type { KeptPath, TransferRequest } from "./request.ts";
import { recordsIn } from "./unchanged.ts";
import type { UnchangedDirectory } from "./walk.ts";
import { type Entry, type EntryState, sameContent } from "./entry.ts";
import { ListedEntry, parseLabel } from "./entry_text.ts";

/** Directories that one job lists. */
const LIST_AT_ONCE = 32;

const JOBS_AT_ONCE = 8;

/** Gathers during the walk of an update which names stay on the receiving side. */
export class StayingNames {
  readonly #needed: NeededNames;
  /** Directories that are unchanged at the sending side and have names that are not recorded. */
  readonly #partly: string[] = [];
  /** All directories that are unchanged at the sending side and of which only the names were compared. */
  readonly #unchanged: Pick<UnchangedDirectory, "directory" | "block">[] = [];
  /** Directories that only the receiving side has. */
  readonly #foreign: string[] = [];
  /** Units of references that changed on the receiving side. */
  readonly #units = new Set<string>();
  /** Directories of links that only the receiving side has, or that changed there. */
  readonly #links: string[] = [];

  constructor(
    readonly request: Pick<TransferRequest, "to" | "intent" | "record" | "linkRoots" | "depth">,
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
      if (reason !== undefined) this.#addKept({ directory, entry }, reason);
      else if (!(known ??= namesIn(plan)).has(entry.name)) this.#addForeign({ directory, entry });
    }
  }

  /** Takes a directory that is unchanged at the sending side. */
  addUnchanged({ directory, block, others }: UnchangedDirectory): void {
    const { intent, depth } = this.request;
    if (intent === "stage-update" && depth === "trust-record") this.#unchanged.push({ directory, block });
    if (others === "some") this.#partly.push(directory);
  }

  #addForeign(name: Named): void {
    if (name.entry.type === "directory") this.#foreign.push(joinName(name.directory, name.entry.name));
    else {
      if (name.entry.type === "link") this.#links.push(name.directory);
      this.#needed.addForeign(name);
    }
  }

  #addKept(name: Named, reason: Kept["reason"]): void {
    if (isReference(name)) this.#units.add(unitOf(name.directory, name.entry.name));
    else {
      if (name.entry.type === "link") this.#links.push(name.directory);
      this.#needed.addKept(name, reason);
    }
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
      if (entry !== undefined) this.#addKept({ directory: splitLast(path)[0], entry }, reason);
    }
    // Where links lead to the files of a unit, they tell which files are needed.
    for (const unit of this.#units) {
      if (!this.#links.some((path) => `${path}/`.startsWith(unit === "" ? "" : `${unit}/`))) this.#needed.addUnit(unit);
    }
    return this.#needed.among(names);
  }

  /** Reads what the walk did not see. A recorded name may have changed where the walk compared only names. */
  async #readRest(): Promise<void> {
    const { record } = this.request;
    const recordOf = (directory: string) => record?.entriesOf(directory);
    const pointing = new Set(this.#unchanged.splice(0).filter(mayPoint).map(({ directory }) => directory));
    const partly = this.#partly.splice(0).filter((directory) => !pointing.has(directory));
    await this.#read([...pointing], "full", recordOf);
    await this.#read(partly, "names", recordOf);
    while (this.#foreign.length > 0) await this.#read(this.#foreign.splice(0), "names", () => undefined);
  }

  async #read(directories: readonly string[], facts: "full" | "names", recordOf: Recorded): Promise<void> {
    const batches = Array.from(
      { length: Math.ceil(directories.length / LIST_AT_ONCE) },
      (_, index) => directories.slice(index * LIST_AT_ONCE, (index + 1) * LIST_AT_ONCE),
    );
    await pooledForEach(batches, JOBS_AT_ONCE, (batch) => this.#readBatch(batch, facts, recordOf));
  }

  async #readBatch(directories: readonly string[], facts: "full" | "names", recordOf: Recorded): Promise<void> {
    const timeStep = this.request.record?.traits?.timeStep;
    const { entries } = await listDirectories({ root: this.request.to, facts }, directories, this.runner);
    const links: string[] = [];
    for (const [directory, listing] of entries) {
      // What cannot be read may need everything beside it.
      if ("unreadable" in listing) {
        if (listing.cause !== "absent") this.#needed.addUnit(splitLast(directory)[0]);
        continue;
      }
      const recorded = recordOf(directory);
      for (const entry of listing.entries) {
        const base = recorded?.get(entry.name);
        if (base !== undefined) {
          const isKept = facts === "full" && !sameContent(entry, base, timeStep);
          if (isKept) this.#addKept({ directory, entry }, "changed there");
        } else if (entry.type === "link" && facts === "names") links.push(joinName(directory, entry.name));
        else this.#addForeign({ directory, entry });
      }
    }
    for (const [path, entry] of await this.#look(links)) this.#addForeign({ directory: splitLast(path)[0], entry });
  }

  async #look(paths: readonly string[]): Promise<Map<string, Entry>> {
    return await lookAtPaths(this.request.to, paths, this.runner);
  }
}

/** The record of a directory. */
type Recorded = (directory: string) => ReadonlyMap<string, EntryState> | undefined;

/** Whether names of a recorded directory may lead to other names. */
function mayPoint({ directory, block }: Pick<UnchangedDirectory, "directory" | "block">): boolean {
  if (pointsElsewhere(directory)) return true;
  for (const { label, state } of recordsIn(decodeName(block.content))) {
    const entry = new ListedEntry({ ...parseLabel(label), state, more: "" });
    const isDatabase = entry.type === "file" && isDatabaseName(entry.name);
    if (isDatabase || phaseOf(directory, entry, undefined) !== "contents") return true;
  }
  return false;
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
