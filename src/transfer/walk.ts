// Walks both sides of a transfer directory by directory, and decides for each. Lists many directories at once, each in the
// order in which the server returns its names.
import { CliError, messageOf } from "../errors/errors.ts";
import { SystemCallError } from "../posix/errno.ts";
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { decideDirectory, type DecisionRules, type DirectoryPlan, sendingSide } from "./decide.ts";
import { type Entry, type EntryState, sameMode, sameTime } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import {
  listDirectories,
  ListedDirectory,
  type Listing,
  type ListingRequest,
  type Listings,
  lookAtPaths,
} from "./listing.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import type { Manifest, ManifestBlock } from "./manifest.ts";
import { mountsIn, unmountedIn } from "./nested_mounts.ts";
import type { OutsideLink } from "./outside_links.ts";
import type { PackedTree } from "./packed_tree.ts";
import { EMPTIED, LOST, lostNames, NOTHING_LOST, UNMOUNTED, withoutNames, withRecordsOf } from "./lost_links.ts";
import { withoutWritesThroughLinks } from "./behind_links.ts";
import { countMarks, withoutMarks } from "./racy.ts";
import { countRecords, hasAllNames, hasSameEntries } from "./unchanged.ts";
import { lookAtContents, planDatabases } from "./walk_contents.ts";
import { type LoggedNames, loggedState } from "./intent_log.ts";
import { decodeName, joinName, splitLast } from "../posix/file_names.ts";

/** Directories that one job lists: so few that all isolates are busy, so many that a message to a Worker pays. */
const MOST_DIRECTORIES = 32;

/** Jobs at a time on each side. */
const JOBS_AT_ONCE = { plain: 4, waiting: 8 };

/** What to walk. */
export interface WalkRequest {
  readonly from: string;
  /** May not exist; undefined if there is no such side, so that everything is new. */
  readonly to: string | undefined;
  readonly record: Manifest | undefined;
  readonly packed?: PackedTree | undefined;
  /** What killed transfers brought since the record. */
  readonly logged?: LoggedNames;
  readonly rules: DecisionRules;
  /** `trust-record`: where the sending side is as recorded, only names are compared with the receiving side. */
  readonly depth?: "trust-record" | "look-at-all";
  /** Whether links of the sending side are followed. */
  readonly followsLinks?: boolean;
  /** Which names take part; without it, all do. */
  readonly selection?: Selection;
  /** Contents of files modified from then on are compared, too, in seconds since 1970; undefined: only those of racy files. */
  readonly contentsSinceSeconds?: number | undefined;
}

/** A directory that needs nothing: the sending side is as recorded, and the receiving side has all of its names. */
export interface UnchangedDirectory {
  readonly directory: string;
  readonly block: ManifestBlock;
  /** The directory itself at the sending side, and at the receiving side where it was looked at. */
  readonly self: Entry | undefined;
  readonly there?: Entry | undefined;
  /** Its files with several names: one of them may get a new name elsewhere, and then all names move together. */
  readonly linked: readonly Entry[];
  /** Whether the receiving side has names that are not recorded. */
  readonly others: "none" | "some";
}

/** Receives the decisions of the walk. The walk goes on below a directory when the returned promise resolves. */
export interface WalkReceiver {
  /** `there`: the entries of the receiving side. */
  onPlan(plan: DirectoryPlan, there: readonly Entry[]): Promise<void> | void;
  /** Gets a directory that needs nothing, of which only names were compared. Without this callback no directory is skipped. */
  readonly onUnchanged?: (unchanged: UnchangedDirectory) => void;
  /** Which names take part, with what selected links lead to; called first. */
  readonly onSelection?: (selection: Selection | undefined) => void;
  /** A directory of the source where another file system is mounted, or was according to the record. */
  readonly onMount?: (directory: string) => void;
  /** A link of the sending side that leads out of the tree and stays a link. */
  readonly onOutsideLink?: (link: OutsideLink) => void;
  /** A directory of either side that could not be read: its content is unknown. */
  onUnreadable(directory: string, side: Side, why: UnreadableDirectory): void;
}

interface Visit {
  readonly directory: string;
  /** `unseen`: the directory exists, and nothing more is known. */
  readonly from: Entry | "unseen" | undefined;
  readonly to: Entry | "unseen" | undefined;
  /** The directory is excluded, and everything in it is to be deleted. */
  readonly isExcluded?: true;
  /** The receiving side has the directory behind a link. */
  readonly isBehindLink?: true;
}

/** Walks and decides. Throws a CliError where the source itself can't be read, and the signal's reason on a signal. */
export async function walkTrees(
  request: WalkRequest,
  receiver: WalkReceiver,
  runner: JobRunner,
): Promise<void> {
  runner.select(request.selection);
  const walk = new Walk(request, receiver, runner);
  await walk.run();
}

const NOTHING_RECORDED: ReadonlyMap<string, EntryState> = new Map();
const EMPTY_LISTING = new ListedDirectory({ self: "", records: "", rest: "", directories: 0, linked: 0, outside: "" });
const NOTHING: Listings = { entries: new Map(), selves: new Map() };

type Side = "from" | "to";
type Facts = ListingRequest["facts"];

class Walk {
  readonly #queue: Visit[] = [];
  /** What is read first of the receiving side. */
  readonly #firstLook: Facts;
  readonly #mayPassOver: boolean;

  constructor(
    readonly request: WalkRequest,
    readonly receiver: WalkReceiver,
    readonly runner: JobRunner,
  ) {
    const { rules, logged, record } = request;
    this.#mayPassOver = receiver.onUnchanged !== undefined && record !== undefined && (logged?.size ?? 0) === 0 &&
      rules.receivingSide === "live" && rules.removals === "recorded" && rules.policy !== "mirror" &&
      request.contentsSinceSeconds === undefined;
    this.#firstLook = this.#mayPassOver && request.depth === "trust-record" ? "names" : "full";
  }

  async run(): Promise<void> {
    this.receiver.onSelection?.(this.request.selection);
    const { to } = this.request;
    const isThere = to !== undefined && await isDirectory(to, this.runner);
    // The record tells before anything was read how many names there are.
    this.runner.expect(this.request.record?.files ?? 0, "list");
    await this.#visit([{ directory: "", from: "unseen", to: isThere ? "unseen" : undefined }]);
    await this.#drain();
  }

  /** Keeps enough jobs under way until the queue is empty and no running job can add to it. */
  async #drain(): Promise<void> {
    const running = new Set<Promise<void>>();
    // Errors are collected, because a visit that fails while another one ends would be missed by the next Promise.race.
    const failures: unknown[] = [];
    const atOnce = JOBS_AT_ONCE[this.runner.form];
    try {
      while (this.#queue.length > 0 || running.size > 0) {
        while (this.#queue.length > 0 && running.size < atOnce) {
          const share = Math.ceil(this.#queue.length / (atOnce - running.size));
          const batch = this.#queue.splice(0, Math.min(share, MOST_DIRECTORIES));
          const visiting = this.#visit(batch).catch((error) => void failures.push(error))
            .finally(() => running.delete(visiting));
          running.add(visiting);
        }
        await Promise.race(running);
        if (failures.length > 0) throw failures[0];
      }
    } finally {
      await Promise.allSettled(running);
    }
  }

  async #visit(batch: readonly Visit[]): Promise<void> {
    const [from, to] = await Promise.all([
      this.#list("from", batch, "full"),
      this.#list("to", batch, this.#firstLook),
    ]);
    const changed = batch.filter((visit) => !this.#passOver(visit, { from, to }));
    const received = this.#firstLook === "full" ? to : await this.#list("to", changed, "full");
    for (const visit of changed) await this.#decide(visit, { from, to: received });
  }

  /** Hands a directory over as unchanged if it is. Returns whether it was. */
  #passOver({ directory, ...visit }: Visit, listings: { readonly from: Listings; readonly to: Listings }): boolean {
    if (!this.#mayPassOver) return false;
    const block = this.request.record?.blocks().get(directory);
    const from = listings.from.entries.get(directory);
    if (block === undefined || from === undefined || "unreadable" in from) return false;
    const recorded = decodeName(block.content);
    const names = listings.to.entries.get(directory);
    if (visit.to === undefined || names === undefined || "unreadable" in names) return false;
    const self = visit.from === "unseen" ? listings.from.selves.get(directory) : visit.from;
    const there = visit.to === "unseen" ? listings.to.selves.get(directory) : visit.to;
    if (self !== undefined && there !== undefined && !(sameMode(self, there) && sameTime(self, there))) return false;
    const known = this.#withoutOtherMarks(from.records, recorded, block);
    if (!hasSameEntries(from, known)) return false;
    // A full comparison looks at all entries; hard links are judged by all names of a file together.
    const isThere = this.#firstLook === "full"
      ? from.linked.length === 0 && hasSameEntries(names, known)
      : hasAllNames(names.entries, recorded);
    if (!isThere) return false;
    // The root itself is in no directory's record. A push does not change directories.
    const { record, rules } = this.request;
    if (directory === "" && rules.policy === "stage" && self?.text !== record?.root) return false;
    this.#tellOutsideLinks(directory, from);
    this.#tellMounts(directory, from.directories, self);
    const others = names.entries.length > countRecords(recorded) ? "some" : "none";
    this.receiver.onUnchanged?.({ directory, block, self, there, linked: from.linked, others });
    for (const entry of from.directories) {
      this.#queue.push({ directory: joinName(directory, entry.name), from: entry, to: "unseen" });
    }
    return true;
  }

  /** The record without marks of the receiving side, which are no reason to compare contents. */
  #withoutOtherMarks(records: string, recorded: string, { content }: ManifestBlock): string {
    const side = sendingSide(this.request.rules) === "source" ? "target" : "source";
    return records === recorded || countMarks(content, side) === 0 ? recorded : withoutMarks(recorded, side);
  }

  async #decide(
    { directory, ...visit }: Visit,
    listings: { readonly from: Listings; readonly to: Listings },
  ): Promise<void> {
    const side = (name: Side): Listing =>
      visit[name] === undefined ? EMPTY_LISTING : listings[name].entries.get(directory) ?? EMPTY_LISTING;
    const self = (name: Side): Entry | undefined => {
      const known = visit[name];
      return known === "unseen" ? listings[name].selves.get(directory) : known;
    };
    const all = { from: side("from"), to: side("to") };
    const listed = {
      from: all.from,
      to: visit.isExcluded ? EMPTY_LISTING : this.#taking(directory, all.to, "to") ?? EMPTY_LISTING,
    };
    if (directory === "" && ("unreadable" in listed.from || self("from") === undefined)) {
      const reason = "unreadable" in listed.from ? listed.from.unreadable : "it does not exist";
      throw new CliError("file-system", `Cannot read "${this.request.from}": ${reason}`);
    }
    if ("unreadable" in listed.to && !("unreadable" in listed.from) && this.#hasNothingToPush(directory, listed.from)) {
      return this.#leaveReceiver(directory, listed.from, self("from"));
    }
    if ("unreadable" in listed.from || "unreadable" in listed.to) {
      if ("unreadable" in listed.from) this.receiver.onUnreadable(directory, "from", listed.from);
      if ("unreadable" in listed.to) this.receiver.onUnreadable(directory, "to", listed.to);
      return;
    }
    const { entries } = this.#sourceSide === "from" ? listed.from : listed.to;
    const source = this.request[this.#sourceSide]!;
    const unmounted = await unmountedIn(directory, entries, { ...this.request, source }, this.runner);
    for (const path of unmounted) {
      this.receiver.onMount?.(path);
      this.receiver.onUnreadable(path, this.#sourceSide, UNMOUNTED);
    }
    let recorded: ReadonlyMap<string, EntryState> | undefined;
    const noted = this.#notedIn(directory, listed.from.entries, listed.to.entries);
    const recordOf = (name: string) =>
      noted(name) ?? (recorded ??= this.request.record?.entriesOf(directory) ?? NOTHING_RECORDED).get(name);
    const lostLinks = this.request.followsLinks
      ? lostNames({ self: self("from"), listing: listed.from, recordOf }, this.request, directory)
      : NOTHING_LOST;
    if (lostLinks === "all") return this.receiver.onUnreadable(directory, "from", EMPTIED);
    for (const name of lostLinks) this.receiver.onUnreadable(joinName(directory, name), "from", LOST);
    const lost = new Set([...lostLinks, ...unmounted.map((path) => splitLast(path)[1])]);
    const [from, to] = [withoutNames(listed.from.entries, lost), withoutNames(listed.to.entries, lost)];
    const excluded = "unreadable" in all.to ? [] : this.#toDelete(all.to.entries, to, visit);
    const block = this.request.record?.blocks().get(directory);
    const hasMarks = block !== undefined && countMarks(block.content, "either") > 0;
    const sides = { directory, from, to, recordOf, fromSelf: self("from"), toSelf: self("to"), excluded, hasMarks };
    const isResumed = (name: string) => noted(name) !== undefined;
    const facts = { ...sides, isResumed, ...await lookAtContents(sides, this.request, this.runner) };
    const isEntered = (name: string) =>
      this.request.selection?.roleOf(joinName(directory, name), "directory") === "entered";
    const decided = decideDirectory({ ...facts, isEntered }, this.request.rules);
    const isBehindLink = visit.isBehindLink === true || facts.toSelf?.isBehindLink === true;
    const allowed = this.request.rules.policy === "push"
      ? withoutWritesThroughLinks(decided, isBehindLink, recordOf)
      : decided;
    const whole = this.#withExcludedRecords(withRecordsOf(allowed, lost, recordOf), excluded);
    const plan = await planDatabases(whole, facts, this.request, this.runner);
    this.runner.expect(from.length, "list");
    this.#tellOutsideLinks(directory, listed.from);
    if (this.#sourceSide === "from") this.#tellMounts(directory, from, self("from"));
    await this.receiver.onPlan(plan, to);
    for (const { name, ...sides } of plan.descend) {
      const isExcluded = excluded.some((entry) => entry.name === name);
      this.#queue.push({
        directory: joinName(directory, name),
        from: sides.from,
        to: sides.to,
        ...(isExcluded ? { isExcluded } : {}),
        ...(isBehindLink ? { isBehindLink } : {}),
      });
    }
  }

  /** Whether a directory has nothing new or changed to push, so that the receiving side need not be read. */
  #hasNothingToPush(directory: string, from: ListedDirectory): boolean {
    if (this.request.rules.policy !== "push") return false;
    if (from.entries.length === 0) return true;
    const block = this.request.record?.blocks().get(directory);
    return block !== undefined && hasSameEntries(from, decodeName(block.content));
  }

  /** Leaves a directory of the receiving side as it is, and goes on below it. */
  #leaveReceiver(directory: string, from: ListedDirectory, self: Entry | undefined): void {
    const block = this.request.record?.blocks().get(directory);
    if (block !== undefined) {
      this.receiver.onUnchanged?.({ directory, block, self, linked: from.linked, others: "none" });
    }
    for (const entry of from.directories) {
      this.#queue.push({ directory: joinName(directory, entry.name), from: entry, to: "unseen" });
    }
  }

  /** Whether listings of a side omit excluded names. Names to delete must be listed. */
  #isSelected(side: Side): boolean {
    const { selection, rules } = this.request;
    return side === "from" || !(selection?.deleteExcluded === true && rules.policy === "stage");
  }

  /** Which side is the persistent one. */
  get #sourceSide(): Side {
    return this.request.rules.policy === "push" ? "to" : "from";
  }

  #tellMounts(directory: string, entries: readonly Entry[], self: Entry | undefined): void {
    if (this.#sourceSide === "to") return;
    for (const path of mountsIn(directory, entries, self)) this.receiver.onMount?.(path);
  }

  #tellOutsideLinks(directory: string, { outside }: ListedDirectory): void {
    for (const { name, linkTarget } of outside) {
      this.receiver.onOutsideLink?.({ path: joinName(directory, name), target: linkTarget });
    }
  }

  /** The listing with only the names that take part. */
  #taking(directory: string, listing: Listing | undefined, side: Side): Listing | undefined {
    const { selection } = this.request;
    if (selection === undefined || this.#isSelected(side)) return listing;
    if (listing === undefined || "unreadable" in listing) return listing;
    const isTaken = (entry: Entry) =>
      selection.includes(joinName(directory, entry.name), nameTypeOf(entry.type, entry.sizeBytes));
    return listing.only(listing.entries.filter(isTaken));
  }

  /** Excluded names of the receiving side, if the user wants those deleted. */
  #toDelete(
    all: readonly Entry[],
    taken: readonly Entry[],
    { isExcluded }: Pick<Visit, "isExcluded">,
  ): readonly Entry[] {
    const { selection, rules } = this.request;
    const deletes = isExcluded || (selection?.deleteExcluded === true && rules.policy === "stage");
    if (!deletes || all.length === taken.length) return [];
    const rest = new Set(taken);
    return all.filter((entry) => !rest.has(entry));
  }

  /** A plan that keeps the records of names that do not take part. */
  #withExcludedRecords(plan: DirectoryPlan, deleted: readonly Entry[]): DirectoryPlan {
    const { selection, record } = this.request;
    const recorded = selection === undefined ? undefined : record?.entriesOf(plan.directory);
    if (selection === undefined || recorded === undefined) return plan;
    const gone = new Set(deleted.map(({ name }) => name));
    const kept = [...recorded].filter(([name, state]) =>
      !gone.has(name) && !selection.includes(joinName(plan.directory, name), nameTypeOf(state.type, state.sizeBytes))
    );
    return kept.length === 0 ? plan : { ...plan, unselected: kept };
  }

  #notedIn(
    directory: string,
    from: readonly Entry[],
    to: readonly Entry[],
  ): (name: string) => EntryState | undefined {
    const { logged, rules } = this.request;
    if (logged === undefined || logged.size === 0) return () => undefined;
    const [froms, tos] = [from, to].map((entries) => new Map(entries.map((entry) => [entry.name, entry])));
    return (name) =>
      loggedState(logged, joinName(directory, name), {
        from: froms!.get(name),
        to: tos!.get(name),
        policy: rules.policy,
      });
  }

  async #list(side: Side, batch: readonly Visit[], facts: Facts): Promise<Listings> {
    const directories = batch.filter((visit) => visit[side] !== undefined).map((visit) => visit.directory);
    if (directories.length === 0) return NOTHING;
    if (side === "from" && this.request.packed !== undefined) return this.request.packed.list(directories);
    const names = this.#isSelected(side) ? "those that take part" : "all";
    return await listDirectories({ root: this.request[side]!, facts, names }, directories, this.runner);
  }
}

/** Whether a path is a directory. Throws a CliError if that is unknown: an error of a server does not mean that none exists. */
async function isDirectory(path: string, runner: JobRunner): Promise<boolean> {
  try {
    return (await lookAtPaths(path, ["."], runner)).get(".")?.type === "directory";
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    throw new CliError("file-system", `Cannot read "${path}": ${messageOf(error)}`, { cause: error });
  }
}
