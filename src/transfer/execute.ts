// Carries out what was decided, directory by directory, while the walk may still go on: makes directories, fills shards with
// files, and at the end, when nothing can fail any more, removes what has to go and sets the directories' modes and times.
import type { System } from "../system/system.ts";
import { type Item, partOvertaken, pathOf, type ShardPlace, type Writer } from "./attempt.ts";
import type { DirectoryPlan } from "./decide.ts";
import { Directories, type DirectoryWriting } from "./directories.ts";
import { type Entry, isSaidEmpty } from "./entry.ts";
import type { ManifestBuilder } from "./manifest.ts";
import { isReachable, joinName } from "../system/file_names.ts";
import { forEachAtOnce, Pool } from "../pool.ts";
import { addNotes, receiverOf } from "./notes.ts";
import type { TransferRequest } from "./request.ts";
import { Ledger, type Tally } from "./ledger.ts";
import { LinkGroups } from "./link_groups.ts";
import { lookAtPaths } from "./listing.ts";
import { LARGE_AT_ONCE, LARGE_BYTES, LargeFiles } from "./large_files.ts";
import { Removals } from "./removals.ts";
import { moveShard } from "./shard.ts";
import { ShardQueue } from "./shard_queue.ts";
import type { UnchangedDirectory } from "./walk.ts";
import type { Workplace } from "./workplace.ts";

/** How files are to be written. */
export interface Writing {
  readonly files: Writer;
  /** For what `files` can't write: sockets, and names that can't be renamed. */
  readonly special: Writer | undefined;
  readonly directories: DirectoryWriting;
  /** Makes what is needed before the first file is written. */
  readonly prepare: () => Promise<void> | undefined;
}

/** A hole that is smaller may as well be written. */
const WORTH_A_HOLE_BYTES = 64 * 1024;

/** Takes decided directories and carries them out. */
export class Execution {
  readonly #ledger: Ledger;
  readonly #place: ShardPlace;
  readonly #pool: Pool;
  readonly #stop = new AbortController();
  readonly #links: LinkGroups;
  readonly #removals: Removals;
  readonly #successors: Item[] = [];
  readonly #passedOver = new Map<string, Entry | undefined>();
  readonly #directories: Directories;
  readonly #large: LargeFiles | undefined;
  readonly #shard: ShardQueue;
  #special: Item[] = [];

  constructor(
    readonly roots: Pick<TransferRequest, "from" | "to" | "policy" | "publish" | "notes" | "baseline">,
    readonly writing: Writing,
    readonly workplace: Workplace,
    readonly manifest: ManifestBuilder,
    system: System,
    onDone: (files: number, sizeBytes: number) => void,
  ) {
    this.#ledger = new Ledger(manifest, roots.baseline);
    this.#shard = new ShardQueue(workplace);
    const stoppable = { ...system, signal: AbortSignal.any([system.signal, this.#stop.signal]) };
    this.#place = {
      ...{ from: roots.from, to: roots.to, policy: roots.policy, publish: roots.publish },
      ...{ workplace, system: stoppable },
      beforeMove: async (items) => {
        if (roots.notes !== undefined) await addNotes(roots.notes, receiverOf(roots.policy), items);
      },
      onDone: (files, sizeBytes) => {
        this.tally.filesDone += files;
        this.tally.bytesDone += sizeBytes;
        onDone(files, sizeBytes);
      },
    };
    this.#links = new LinkGroups(this.#place, {
      policy: roots.policy,
      precision: roots.baseline?.precision ?? "nanoseconds",
    });
    // A bandwidth limit is one for all: rsyncs side by side would each take it.
    const limited = writing.files.kind === "rsync" &&
      writing.files.options.extraArgs.some((arg) => arg.startsWith("--bwlimit"));
    this.#pool = new Pool(limited ? 1 : workplace.width, (error) => this.#stop.abort(error));
    this.#large = this.#prepareLarge();
    this.#directories = new Directories(this.#place, writing.directories);
    this.#removals = new Removals(this.#place, this.#ledger);
  }

  /** What was done until now. */
  get tally(): Tally {
    return this.#ledger.tally;
  }

  #prepareLarge(): LargeFiles | undefined {
    const { files } = this.writing;
    const final = (item: Item) => this.#target(pathOf(item));
    const common = { ...this.#place, onFailure: (error: unknown) => this.#stop.abort(error) };
    if (files.kind === "tar") {
      const putInPlace = () => Promise.resolve("published" as const);
      return new LargeFiles({ ...common, writePath: final, putInPlace, journals: files.journals }, LARGE_AT_ONCE);
    }
    // Modes and owners that aren't the source's are the pipeline's business.
    if (files.kind !== "tar beside" || files.keep === "content") return undefined;
    const names = new Map<Item, string>();
    const writePath = (item: Item) => {
      const name = names.get(item) ?? `${files.beside}/large-${names.size}`;
      names.set(item, name);
      return name;
    };
    const putInPlace = async (item: Item) => {
      await this.#place.beforeMove([item]);
      const { overtaken } = await partOvertaken([item], this.#place);
      if (overtaken.length > 0) return "overtaken";
      await Deno.rename(writePath(item), final(item));
      return "published";
    };
    return new LargeFiles({ ...common, writePath, putInPlace, journals: undefined }, LARGE_AT_ONCE);
  }

  /** Carries out one directory; resolves when the walk may go on below it. */
  async add(plan: DirectoryPlan): Promise<void> {
    const { directory } = plan;
    this.manifest.add(directory, plan.records);
    if (directory === "" && plan.fromSelf !== undefined && this.roots.policy !== "stage-out") {
      this.manifest.addRoot(plan.fromSelf);
    }
    this.#links.add(directory, plan.linked);
    const writes = plan.transfers.length + plan.makes.length + plan.clears.length + plan.removals.length +
      plan.linked.length;
    if (writes > 0) await this.#directories.makeWritable(plan);
    for (const entry of plan.clears) await this.#removals.removeNow({ directory, entry });
    await forEachAtOnce(
      plan.makes,
      this.workplace.width,
      (entry) => this.#directories.make(joinName(directory, entry.name)),
    );
    for (const entry of plan.modes) await this.#setMode(directory, entry);
    if (plan.finish === "as source" && plan.fromSelf !== undefined) {
      this.#directories.finishLater(directory, plan.fromSelf);
    }
    for (const entry of plan.removals) this.#removals.add({ directory, entry });
    for (const entry of plan.successors) this.#successors.push({ directory, entry, replaces: undefined });
    const replaced = new Map(plan.replaces.map((entry) => [entry.name, entry]));
    for (const entry of plan.transfers) {
      await this.#queue({ directory, entry, replaces: replaced.get(entry.name) });
    }
  }

  /** Takes a directory in which nothing is to be done, for now. */
  keep({ directory, block, self, linked }: UnchangedDirectory): void {
    this.manifest.keep(directory, block);
    if (linked.length === 0) return;
    this.#passedOver.set(directory, self);
    this.#links.add(directory, linked.map((from) => ({ from, to: undefined, state: "recorded" })));
  }

  /** Waits for all shards and ends the work: links, removals, directories. Nothing is removed where something is missing. */
  async finish(mayRemove: boolean): Promise<void> {
    for (const items of this.#shard.takeLast()) await this.#flush(items);
    this.tally.kept.push(...await this.#links.settle(this.#successors.map(({ entry }) => entry)));
    // A group stays together: only one process sees that its names are one file.
    for (const group of this.#links.toTransfer()) {
      await this.#queueGroup(group);
      if (this.#isFull()) await this.#flush();
    }
    await this.#flush();
    await this.#flushSpecial();
    await this.#pool.settle();
    await this.#finishLarge();
    const isWhole = mayRemove && !this.tally.missing.some((missing) => !missing.vanished);
    if (isWhole) await this.#removals.carryOut();
    else this.#removals.postpone();
    await this.#moveSuccessors();
    await this.#directories.finish();
    this.#ledger.close();
  }

  /** A file there gets another name after all: its directory must take it, and be as it was afterwards. */
  async #openPassedOver(items: readonly Item[]): Promise<void> {
    for (const { directory } of items) {
      if (!this.#passedOver.has(directory)) continue;
      const self = this.#passedOver.get(directory);
      this.#passedOver.delete(directory);
      await this.#directories.open(directory);
      if (self !== undefined && this.roots.policy !== "stage-out") this.#directories.finishLater(directory, self);
    }
  }

  /** Ends what runs, after an error elsewhere. */
  async abandon(error: unknown): Promise<void> {
    this.#stop.abort(error);
    await this.#pool.settle().catch(() => {});
  }

  async #queue(item: Item, grouping: "alone" | "together" = "alone"): Promise<void> {
    if (this.#isLeftOut(item)) {
      this.#ledger.amend(item, undefined);
      return;
    }
    await this.writing.prepare();
    if (this.writing.special !== undefined && this.#needsSpecial(item)) {
      this.#special.push(item);
      return;
    }
    const isLarge = item.entry.sizeBytes >= LARGE_BYTES && grouping === "alone" && isReachable(pathOf(item));
    if (isLarge && this.#large !== undefined) {
      this.#large.add(item);
      return;
    }
    this.#shard.add(item);
    if (grouping === "alone" && this.#isFull()) await this.#flush();
  }

  /** Names of one file: they go one way together, or they arrive as several files. */
  async #queueGroup(items: readonly Item[]): Promise<void> {
    await this.writing.prepare();
    await this.#openPassedOver(items);
    const special = this.writing.special !== undefined && items.some((item) => this.#needsSpecial(item));
    if (special) this.#special.push(...items);
    else for (const item of items) await this.#queue(item, "together");
  }

  #isFull(): boolean {
    return this.#shard.isFull(this.#pool.running);
  }

  /** A socket is of no use to anybody but the program that made it, and tar has none: without rsync it stays where it is. */
  #isLeftOut({ entry }: Item): boolean {
    return entry.specialKind === "s" && this.writing.files.kind !== "rsync" && this.writing.special === undefined;
  }

  #needsSpecial(item: Item): boolean {
    if (item.entry.specialKind === "s") return this.writing.files.kind !== "rsync";
    // Perhaps one large hole: rsync reads it and leaves it one, where tar would write it in full.
    const mayBeHole = isSaidEmpty(item.entry) && item.entry.sizeBytes > WORTH_A_HOLE_BYTES;
    if (mayBeHole && this.writing.files.kind !== "rsync" && item.entry.sizeBytes < LARGE_BYTES) return true;
    return this.writing.files.kind === "tar beside" && !isReachable(pathOf(item));
  }

  async #flush(items: readonly Item[] = this.#shard.take()): Promise<void> {
    if (items.length > 0) await this.#pool.start(() => this.#move(items, this.writing.files));
  }

  async #flushSpecial(): Promise<void> {
    const items = this.#special;
    this.#special = [];
    if (items.length > 0) await this.#pool.start(() => this.#move(items, this.writing.special!));
  }

  async #finishLarge(): Promise<void> {
    if (this.#large === undefined) return;
    const { missing, overtaken } = await this.#large.finish();
    const gone = missing.filter(({ vanished }) => vanished);
    this.#ledger.note({ arrived: [], missing: gone, overtaken, leftOut: [], lastWords: [] });
    // What changed meanwhile goes through the pipeline, which says what it can't do.
    const again = missing.filter(({ vanished }) => !vanished).map(({ item }) => item);
    if (again.length > 0) await this.#move(again, this.writing.files);
    if (this.writing.files.kind === "tar") {
      await Deno.remove(this.writing.files.journals, { recursive: true }).catch(() => {});
    }
  }

  async #move(items: readonly Item[], writer: Writer): Promise<void> {
    const outcome = await moveShard(items, writer, this.#place);
    const seen = new Set(items);
    // The others changed since the walk, and this is what was copied.
    const arrived = outcome.arrived.filter((item) => !seen.has(item));
    this.#ledger.note({ ...outcome, arrived });
  }

  async #setMode(directory: string, entry: Entry): Promise<void> {
    const path = joinName(directory, entry.name);
    const isDone = isReachable(path) && await Deno.chmod(this.#target(path), entry.mode).then(() => true, (error) => {
      // A purge was quicker.
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    });
    if (!isDone) await this.#queue({ directory, entry, replaces: entry });
  }

  #target(path: string): string {
    return path === "" ? this.roots.to : `${this.roots.to}/${path}`;
  }

  /** Brings what a removed directory made room for; where that is still there, it is in the way. */
  async #moveSuccessors(): Promise<void> {
    if (this.#successors.length === 0) return;
    const paths = this.#successors.map(pathOf);
    const there = await lookAtPaths(this.roots.to, paths, this.workplace, this.#place.system);
    for (const item of this.#successors) {
      const obstacle = there.get(pathOf(item));
      if (obstacle === undefined) {
        await this.#queueGroup([item, ...this.#links.otherNames(item.entry)]);
        continue;
      }
      this.tally.kept.push({ path: pathOf(item), reason: "in the way" });
      this.#ledger.amend(item, obstacle);
    }
    await this.#flush();
    await this.#flushSpecial();
    await this.#pool.settle();
  }
}
