// Removes names from the receiving side: gathered during the walk, removed at the end, after all new names are published.
//
// Where other programs read, names are removed in the reverse order of the phases: first files that point at others, then
// links, then contents. A directory that is removed with its content is moved into the temporary directory by one rename and
// deleted there, so that no reader finds a part of it; if another program changed something in it, it is moved back.
import { CliError } from "../errors/errors.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import { DatabaseRemovals } from "./database_removals.ts";
import type { DatabasePlan } from "./decide.ts";
import { depthOf } from "./directories.ts";
import { labelOf, stateText } from "./entry_text.ts";
import { type Item, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories } from "./listing.ts";
import type { RemoveRequest, RemoveResult } from "./jobs/remove.ts";
import type { ResultRecorder } from "./result_recorder.ts";
import type { StayingNames } from "./staying_names.ts";
import { noteMoves } from "./moved_out.ts";
import { type Phase, phaseOf, PHASES, pointsElsewhere } from "./phases.ts";
import { GONE_MEANWHILE_REASON } from "./written_meanwhile.ts";

type Name = Omit<Item, "replaces">;

/** Names that one job removes. */
const REMOVE_AT_ONCE = 500;

/** Directories that one job lists. */
const LIST_AT_ONCE = 32;

/** What removing needs. */
export interface RemovalsRequest {
  readonly from: string;
  readonly root: string;
  /** Where whole directories are moved before they are deleted; `directly`: no program reads the receiving side. */
  readonly temporary: string | "directly";
  /** Makes the temporary directory. */
  readonly prepare: () => Promise<void>;
  readonly receivingSide: "private" | "live";
  readonly staying: StayingNames;
  readonly runner: JobRunner;
  readonly recorder: ResultRecorder;
}

/** A directory that is removed with its content. */
interface Whole {
  readonly path: string;
  readonly items: Name[];
  phase: Phase;
}

/** Gathers names to remove, and removes them. */
export class Removals {
  readonly #items: Name[] = [];
  /** Directories whose names are all to be removed, as far as the walk has seen. */
  readonly #emptied = new Set<string>();
  /** Directories that the next transfer removes. */
  readonly #postponed = new Set<string>();
  /** Paths of the lists of directories that were moved away. */
  readonly #lists: string[] = [];
  /** Counts names in the temporary directory; a name is not used twice, even if a move failed. */
  #names = 0;

  readonly #databases: DatabaseRemovals;

  constructor(readonly request: RemovalsRequest) {
    const { from, root, runner, recorder, staying } = request;
    this.#databases = new DatabaseRemovals({ from, to: root, runner, recorder, staying, check: this.#check });
  }

  get #check(): RemoveRequest["check"] {
    return this.request.receivingSide === "private" ? "none" : "look again";
  }

  /** Notes databases of a directory of which files are only removed, as {@linkcode add} does for a name. */
  addDatabases(directory: string, plans: readonly DatabasePlan[], when: "now" | "next time"): void {
    this.#databases.add(directory, plans, when);
  }

  /**
   * Notes something to remove later, as the walk saw it. `next time`: it keeps its record and stays with all that is below it,
   * so that the next transfer removes it.
   */
  add(item: Name, when: "now" | "next time" = "now"): void {
    if (when === "now" && !this.#isBelowPostponed(item.directory)) {
      this.#items.push(item);
      return;
    }
    const { recorder } = this.request;
    if (item.entry.type === "directory") this.#postponed.add(pathOf(item));
    recorder.amend(item, item.entry);
    if (when === "next time") recorder.miss(item, GONE_MEANWHILE_REASON, "newer");
  }

  #isBelowPostponed(directory: string): boolean {
    if (this.#postponed.size === 0) return false;
    for (let path = directory; path !== ""; path = splitLast(path)[0]) if (this.#postponed.has(path)) return true;
    return false;
  }

  /** Notes that all names in a directory are to be removed. */
  addEmptied(directory: string): void {
    this.#emptied.add(directory);
  }

  /** Removes nothing and keeps the records, so that the next transfer tries again. */
  postpone(): void {
    this.#databases.postpone();
    for (const item of this.#items) this.request.recorder.amend(item, item.entry);
  }

  /** Removes files and links, unless they changed since the walk, and directories that are empty then. */
  async execute(): Promise<void> {
    const { temporary } = this.request;
    await this.#databases.execute();
    await this.#spareNeeded();
    if (temporary === "directly") {
      await this.#removeAll(this.#items);
      return;
    }
    const { wholes, others } = this.#findWholes();
    const files = Map.groupBy(
      others.filter(({ entry }) => entry.type !== "directory"),
      ({ directory, entry }) => phaseOf(directory, entry, entry.type === "link" ? undefined : entry),
    );
    const moved: { readonly whole: Whole; readonly written: string }[] = [];
    for (const phase of PHASES.toReversed()) {
      moved.push(...await this.#moveOut(wholes.filter((whole) => whole.phase === phase)));
      await this.#removeAll(files.get(phase) ?? []);
    }
    let isSettled = true;
    for (const { whole, written } of moved) isSettled = await this.#removeMoved(whole, written, temporary) && isSettled;
    // After the directories that may be moved back into them.
    await this.#removeAll(others.filter(({ entry }) => entry.type === "directory"));
    // With the lists, the end of this transfer and the next one try again to move directories back.
    if (!isSettled) return;
    for (const list of this.#lists) await Deno.remove(list).catch(() => {});
  }

  /** Keeps names that are needed by names which stay; the records stay, too, so that a later transfer removes them. */
  async #spareNeeded(): Promise<void> {
    const { staying, recorder } = this.request;
    const needed = await staying.among(this.#items, recorder.results.kept);
    if (needed.size === 0) return;
    const rest = this.#items.splice(0).filter((item) => !needed.has(item));
    this.#items.push(...rest);
    for (const item of needed) {
      if (item.entry.type !== "directory") recorder.keep(item, "needed there");
      recorder.amend(item, item.entry);
    }
  }

  /** Removes one name at once. Throws a CliError if that fails; a directory that is not empty is left. */
  async removeNow(item: Name): Promise<void> {
    const [result] = await this.#remove([item]);
    if (typeof result === "string") return;
    throw new CliError(
      "file-system",
      `Cannot remove "${joinName(this.request.root, pathOf(item))}": ${result?.failed}`,
    );
  }

  /** Finds the topmost directories whose names are all to be removed, each with its content. */
  #findWholes(): { readonly wholes: readonly Whole[]; readonly others: readonly Name[] } {
    const going = new Set(this.#items.filter(({ entry }) => entry.type === "directory").map(pathOf));
    const broken = new Set<string>();
    for (const path of going) {
      if (this.#emptied.has(path)) continue;
      for (let above = path; above !== ""; above = splitLast(above)[0]) broken.add(above);
    }
    const isWhole = (path: string) => going.has(path) && !broken.has(path);
    const wholes = new Map<string, Whole>();
    const others: Name[] = [];
    for (const item of this.#items) {
      let top: string | undefined;
      for (let path = pathOf(item); path !== ""; path = splitLast(path)[0]) if (isWhole(path)) top = path;
      if (top === undefined) {
        others.push(item);
        continue;
      }
      const phase = pointsElsewhere(top) ? "pointers" : "contents";
      const whole: Whole = wholes.get(top) ?? { path: top, items: [], phase };
      wholes.set(top, whole);
      whole.items.push(item);
      if (item.entry.type === "link" && whole.phase === "contents") whole.phase = "links";
    }
    return { wholes: [...wholes.values()], others };
  }

  /** Moves directories away. A directory that cannot be moved is removed where it is. */
  async #moveOut(
    wholes: readonly Whole[],
  ): Promise<{ readonly whole: Whole; readonly written: string }[]> {
    const { temporary, root: to, runner, prepare } = this.request;
    const whole: Whole[] = [];
    for (const one of wholes) {
      if (await this.#holdsNothingElse(one)) whole.push(one);
      else await this.#removeAll(one.items);
    }
    if (whole.length === 0) return [];
    await prepare();
    const all = whole.map((whole) => ({ whole, written: `gone-${this.#names++}` }));
    const items = all.map(({ whole, written }) => [whole.path, written] as const);
    this.#lists.push(await noteMoves(temporary, items));
    const results = await runner.run("moveOut", { temporary, to, items }, { names: items.length });
    const left = all.filter((_, index) => results[index] === "not moved");
    await this.#removeAll(left.flatMap(({ whole }) => whole.items));
    return all.filter((_, index) => results[index] === "moved");
  }

  /** Whether a directory has no other names than those to remove: filters hide some names, and programs make new ones. */
  async #holdsNothingElse({ path, items }: Whole): Promise<boolean> {
    const { root, runner } = this.request;
    const going = new Set(items.map(pathOf));
    const directories = items.filter(({ entry }) => entry.type === "directory").map(pathOf);
    for (let start = 0; start < directories.length; start += LIST_AT_ONCE) {
      const part = directories.slice(start, start + LIST_AT_ONCE);
      const { entries } = await listDirectories({ root, facts: "names" }, part, runner);
      for (const directory of part) {
        const listing = entries.get(directory);
        if (listing === undefined || "unreadable" in listing) return false;
        if (listing.entries.some(({ name }) => !going.has(joinName(directory, name)))) return false;
      }
    }
    return going.has(path);
  }

  /**
   * Deletes a directory that was moved away; entries that changed since the walk are moved back, with their directories. Returns
   * false if they could not be.
   */
  async #removeMoved({ path, items }: Whole, written: string, temporary: string): Promise<boolean> {
    const { root: to, runner, recorder } = this.request;
    const isGone = await this.#removeAll(items, { root: temporary, path, written });
    if (isGone) return true;
    const [result] = await runner.run("publishDirectories", { temporary, to, items: [[written, path, "", ""]] });
    if (result?.kind !== "failed") return true;
    const top = items.find((item) => pathOf(item) === path)!;
    recorder.miss(top, `it changed while it was removed, and cannot be moved back: ${result.reason}`, "failed");
    return false;
  }

  /** Removes files, then directories, deepest first, so that each is empty by then. True if all are gone. */
  async #removeAll(items: readonly Name[], moved?: MovedTo): Promise<boolean> {
    const files = items.filter(({ entry }) => entry.type !== "directory");
    const directories = items.filter(({ entry }) => entry.type === "directory");
    const levels = Map.groupBy(directories, (item) => depthOf(pathOf(item)));
    let isGone = true;
    for (let start = 0; start < files.length; start += REMOVE_AT_ONCE) {
      isGone = areGone(await this.#remove(files.slice(start, start + REMOVE_AT_ONCE), moved)) && isGone;
    }
    for (const depth of [...levels.keys()].toSorted((one, other) => other - one)) {
      isGone = areGone(await this.#remove(levels.get(depth)!, moved)) && isGone;
    }
    return isGone;
  }

  async #remove(items: readonly Name[], moved?: MovedTo): Promise<readonly RemoveResult[]> {
    const results = await this.request.runner.run("remove", {
      root: moved?.root ?? this.request.root,
      check: this.#check,
      items: items.map((item) => {
        const [directory, name] = moved === undefined
          ? [item.directory, item.entry.name]
          : splitLast(moved.written + pathOf(item).slice(moved.path.length));
        return [directory, labelOf(name, item.entry.linkTarget), stateText(item.entry)] as const;
      }),
    }, { names: items.length });
    for (const [index, item] of items.entries()) this.#note(item, results[index]!);
    return results;
  }

  #note(item: Name, result: RemoveResult): void {
    const { recorder } = this.request;
    switch (result) {
      case "removed":
        return recorder.removed(item);
      case "gone":
        return;
      case "changed":
        return recorder.keep(item, "gone at the source, changed there");
      case "in use there":
        return recorder.keep(item, result);
      case "not empty":
        // Another program made something in it, or something in it is kept.
        return recorder.amend(item, item.entry);
      default:
        // It stays, and so does its record: the next transfer tries again.
        return recorder.fail(item, item.entry, `cannot be removed: ${result.failed}`);
    }
  }
}

function areGone(results: readonly RemoveResult[]): boolean {
  return results.every((result) => result === "removed" || result === "gone");
}

/** Where a directory was moved. */
interface MovedTo {
  readonly root: string;
  readonly path: string;
  readonly written: string;
}
