// Executes the plans of directories while the walk still goes on: makes directories and copies files in batches. When all are
// copied, publishes them phase by phase (publishing.ts) where other programs use the receiving side. At the end, when nothing
// can fail any more, removes deleted names and sets the modes and times of directories.
import { joinName, splitLast } from "../posix/file_names.ts";
import { Pool } from "../system/pool.ts";
import type { System } from "../system/system.ts";
import { Batch, batchesAtOnce } from "./batches.ts";
import type { DirectoryPlan } from "./decide.ts";
import { DatabaseMoves } from "./database_moves.ts";
import { Directories, type UnfinishedDirectory } from "./directories.ts";
import type { Entry } from "./entry.ts";
import { type Item, type MoveOutcome, pathOf } from "./item.ts";
import { meaningOf } from "./intent.ts";
import type { JobRunner } from "./job_runner.ts";
import { ResultRecorder, type TransferResults } from "./result_recorder.ts";
import { LARGE_BYTES, LargeFiles } from "./large_files.ts";
import { LinkGroups } from "./link_groups.ts";
import { lookAtPaths } from "./listing.ts";
import type { ManifestBuilder } from "./manifest.ts";
import type { MissingCause } from "./missing.ts";
import type { Mover } from "./movers.ts";
import { IntentLog, openedIn, readIntentLog, receivingSideOf } from "./intent_log.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { Publishing } from "./publishing.ts";
import type { TransferRequest } from "./request.ts";
import { Removals } from "./removals.ts";
import { PARTIAL_DIRECTORY } from "./own_names.ts";
import type { SendingDirectories } from "./sending_directories.ts";
import type { StayingNames } from "./staying_names.ts";
import type { UnchangedDirectory } from "./walk.ts";
import {
  isNewerThanWalk,
  NEWER_REASON,
  refers,
  refersToLater,
  type WalkTimes,
  walkTimes,
} from "./written_meanwhile.ts";

/** How a transfer is executed. */
export interface ExecutionRequest {
  readonly roots: Pick<
    TransferRequest,
    "from" | "to" | "intent" | "intentLog" | "record" | "names" | "selection" | "startedSeconds" | "walkStartSeconds"
  >;
  readonly settings: CopySettings;
  readonly mover: Mover;
  /** Makes what is needed before the first file is written. */
  readonly prepare: () => Promise<void>;
  /** Removes what `prepare` made, before directories get their times, since it may be in one of them. */
  readonly cleanUp: () => Promise<void>;
  /** Directories that a killed transfer was building in the temporary directory. */
  readonly adopted: Set<string>;
  readonly runner: JobRunner;
  readonly manifest: ManifestBuilder;
  readonly staying: StayingNames;
  readonly sending: SendingDirectories;
  readonly system: System;
  readonly onDone: (files: number, sizeBytes: number) => void;
}

/** Takes the plans of directories and executes them. */
export class Execution {
  readonly #recorder: ResultRecorder;
  readonly #pool: Pool;
  readonly #stop = new AbortController();
  readonly #links: LinkGroups;
  readonly #removals: Removals;
  readonly #databases: DatabaseMoves;
  readonly #successors: Item[] = [];
  readonly #skipped = new Map<string, Entry | undefined>();
  readonly #directories: Directories;
  /** Names are logged here before they are written. */
  readonly #log: IntentLog;
  readonly #large: LargeFiles | undefined;
  /** Undefined where no program reads the receiving side yet. */
  readonly #publishing: Publishing | undefined;
  /** Directories that could not be made. */
  readonly #unmade = new Set<string>();
  readonly #times: WalkTimes;
  readonly #batch: Batch;

  constructor(readonly request: ExecutionRequest) {
    const { roots, settings, mover, runner, manifest, staying, system } = request;
    this.#recorder = new ResultRecorder(manifest, roots.record, roots.names ?? "count");
    this.#links = new LinkGroups(roots.to, runner, {
      policy: settings.policy,
      traits: settings.traits,
    });
    this.#pool = new Pool(batchesAtOnce(mover.kind, runner), (error) => this.#stop.abort(error));
    this.#batch = new Batch(mover.kind);
    const { temporary } = settings;
    this.#times = walkTimes(roots.walkStartSeconds, system.now);
    this.#publishing = temporary === "directly" ? undefined : new Publishing({
      ...{
        settings: { ...settings, temporary },
        adopted: request.adopted,
        selection: roots.selection,
        runner,
        recorder: this.#recorder,
      },
      ...{ times: this.#times, sending: request.sending },
      openParent: async (directory) => void await this.#directories.open(splitLast(directory)[0]),
      onLost: (files, sizeBytes) => this.#count(-files, -sizeBytes),
    });
    this.#log = new IntentLog(roots.intentLog, receivingSideOf(settings.policy), runner.calls);
    this.#directories = new Directories(settings, runner, async (directory, self) => {
      await this.#log.addOpened(directory, self);
    }, this.#publishing?.directories);
    const { receivingSide } = meaningOf(roots.intent);
    this.#removals = new Removals({
      ...{ from: roots.from, root: roots.to, temporary, prepare: request.prepare, runner, recorder: this.#recorder },
      ...{ receivingSide, staying },
    });
    this.#databases = new DatabaseMoves({
      ...{ settings, runner, recorder: this.#recorder, publishing: this.#publishing },
      startedSeconds: roots.startedSeconds ?? system.now() / 1000,
      announce: (items) => this.#log.add(items),
    });
    const onDone = this.#count.bind(this);
    runner.onDone = onDone;
    if (mover.kind === "native" && settings.linkFiles === undefined) {
      this.#large = new LargeFiles({
        ...{ settings, onDone, limit: runner.here.limit, links: runner.here.links[settings.from] },
        form: settings.largeForm ?? runner.form,
        journals: settings.temporary === "directly" ? PARTIAL_DIRECTORY : undefined,
        system: { ...system, signal: AbortSignal.any([system.signal, this.#stop.signal]) },
        onWhole: async (item, copied) => {
          if (copied === "earlier") this.#recorder.resume(item);
          await this.#publishLarge(item);
        },
        onFailure: (error) => this.#stop.abort(error),
      });
    }
  }

  /** The results so far. */
  get results(): TransferResults {
    return this.#recorder.results;
  }

  #count(files: number, sizeBytes: number): void {
    this.results.filesDone += files;
    this.results.bytesDone += sizeBytes;
    this.request.onDone(files, sizeBytes);
  }

  /** Executes one directory; resolves when the walk may go on below it. */
  async add(plan: DirectoryPlan): Promise<void> {
    const { directory } = plan;
    const { manifest, roots } = this.request;
    this.#stop.signal.throwIfAborted();
    if (this.#isLost(directory)) return;
    manifest.add(directory, plan.unselected === undefined ? plan.records : [...plan.records, ...plan.unselected]);
    if (directory === "" && plan.fromSelf !== undefined && roots.intent !== "push") {
      manifest.addRoot(plan.fromSelf);
    }
    this.#links.add(directory, plan.linked);
    await this.#noteNew(plan);
    const writes = plan.transfers.length + plan.makes.length + plan.clears.length + plan.removals.length +
      plan.linked.length + plan.databases.length;
    if (writes > 0) {
      if (plan.toSelf === undefined) await this.request.prepare();
      await this.#directories.makeWritable(plan);
    }
    if (this.#publishing === undefined) {
      for (const entry of plan.clears) await this.#removals.removeNow({ directory, entry });
    }
    if (plan.makes.length > 0) {
      await this.request.prepare();
      const failed = await this.#directories.makeAll(directory, plan.makes);
      for (const [entry, reason] of failed) {
        const replaced = plan.clears.find(({ name }) => name === entry.name);
        this.#lose({ directory, entry }, reason, this.#publishing === undefined ? undefined : replaced);
      }
    }
    for (const [entry, reason] of await this.#directories.setModes(directory, plan.modes)) {
      this.#recorder.failMode({ directory, entry }, reason);
    }
    this.#directories.keepTimeOf(plan);
    const isPushed = roots.intent === "push" && this.#publishing?.directories.topOf(directory) !== undefined;
    if ((plan.finish === "as source" || isPushed) && plan.fromSelf !== undefined) {
      this.#directories.finishLater(directory, plan.fromSelf);
    } else if (plan.linked.length > 0) {
      // It may have to move together with another name of the same file.
      this.#skipped.set(directory, plan.fromSelf);
    }
    if (plan.leaves === "nothing") this.#removals.addEmptied(directory);
    const isChanging = this.#publishing !== undefined && plan.fromSelf !== undefined &&
      isNewerThanWalk(plan.fromSelf, this.#times);
    const when = isChanging ? "next time" : "now";
    for (const entry of plan.removals) this.#removals.add({ directory, entry }, when);
    if (plan.databases.length > 0) {
      await this.request.prepare();
      this.#databases.add(directory, plan.databases.filter(({ transfers }) => transfers.length > 0));
      this.#removals.addDatabases(directory, plan.databases.filter(({ transfers }) => transfers.length === 0), when);
    }
    for (const entry of plan.successors) this.#successors.push({ directory, entry, replaces: undefined });
    const replaced = new Map(plan.replaces.map((entry) => [entry.name, entry]));
    for (const entry of plan.transfers) {
      await this.#queue({ directory, entry, replaces: replaced.get(entry.name) });
    }
  }

  /** Notes which directories the receiving side lacks. */
  async #noteNew({ directory, toSelf, makes, clears }: DirectoryPlan): Promise<void> {
    const building = this.#publishing?.directories;
    if (building === undefined) return;
    const added = directory !== "" && toSelf === undefined ? [building.add(directory, "by need")] : [];
    for (const { name } of makes) {
      added.push(building.add(joinName(directory, name), "always", clears.find((entry) => entry.name === name)));
    }
    for (const top of added) if (top !== undefined) await this.#publishing!.adopt(top);
  }

  /** Records that a directory cannot be made: it is missing with its content, and `replaced` still has its name. */
  #lose(item: Pick<Item, "directory" | "entry">, reason: string, replaced: Entry | undefined): void {
    const path = pathOf(item);
    this.#unmade.add(path);
    this.#recorder.miss(item, reason, "failed");
    this.#recorder.amend(item, replaced);
  }

  #isLost(directory: string): boolean {
    if (this.#unmade.size === 0) return false;
    const parts = directory.split("/");
    return parts.some((_, index) => this.#unmade.has(parts.slice(0, index + 1).join("/")));
  }

  /** Takes a directory in which nothing has to be done so far. */
  keep({ directory, block, self, linked }: UnchangedDirectory): void {
    this.request.manifest.keep(directory, block);
    if (linked.length === 0) return;
    this.#skipped.set(directory, self);
    this.#links.add(directory, linked.map((from) => ({ from, to: undefined, state: "recorded" })));
  }

  /** Takes a directory of the sending side that could not be read. */
  noteUnreadable(path: string, cause: MissingCause, reason: string): void {
    this.#publishing?.fail(path, { cause, reason });
  }

  /** Waits for all batches, then does links, removals and directories. Removes nothing unless all that is missing had vanished. */
  async finish(mayRemove: boolean): Promise<void> {
    await this.#flush();
    this.results.kept.push(...await this.#links.settle(this.#successors.map(({ entry }) => entry)));
    // All names of a file go into one job: only that job knows that they are one file.
    for (const group of this.#links.toTransfer()) await this.#queueGroup(group);
    await this.#flush();
    await this.#pool.settle();
    await this.#finishLarge();
    await this.#databases.moveInto("private directories");
    this.#noteFailed(await this.#directories.finishBuilt());
    await this.#publishing?.publishAll();
    for (const { item, delay } of await this.request.sending.lookAgain()) {
      this.#recorder.miss(item, delay.reason, delay.cause);
    }
    await this.#databases.moveInto("live directories");
    const isWhole = mayRemove && this.results.missing.every(({ cause }) => cause === "vanished");
    if (isWhole) await this.#removals.execute();
    else this.#removals.postpone();
    await this.#moveSuccessors(isWhole ? "done" : "postponed");
    await this.request.cleanUp();
    await this.#adoptOpened();
    this.#noteFailed(await this.#directories.finish());
    await this.#log.close();
    this.#recorder.close();
  }

  /** Reports directories whose modes or times could not be set. */
  #noteFailed(failed: ReadonlyMap<string, UnfinishedDirectory>): void {
    for (const [path, { reason, self }] of failed) {
      // All files in it have arrived.
      this.results.missing.push({ path, reason, cause: "failed", type: "directory", files: 0, sizeBytes: 0 });
      this.#recorder.unfinished(path, self);
    }
  }

  /** Takes over directories of the source that a killed push made writable. */
  async #adoptOpened(): Promise<void> {
    const { intentLog, intent } = this.request.roots;
    if (intentLog === undefined || intent !== "push") return;
    await this.#directories.adopt(
      openedIn(await readIntentLog(intentLog), receivingSideOf(this.request.settings.policy)),
    );
  }

  /** A hard link is added in a directory that was skipped as unchanged: open it now, restore mode and time at the end. */
  async #openPassedOver(items: readonly Item[]): Promise<void> {
    for (const { directory } of items) {
      if (!this.#skipped.has(directory)) continue;
      const self = this.#skipped.get(directory);
      this.#skipped.delete(directory);
      this.#directories.keepTime(directory, self, await this.#directories.open(directory));
      if (self !== undefined && this.request.roots.intent !== "push") this.#directories.finishLater(directory, self);
    }
  }

  /** Stops all jobs after an error elsewhere. */
  async abandon(error: unknown): Promise<void> {
    this.#stop.abort(error);
    await this.#pool.settle().catch(() => {});
    await this.#large?.finish().catch(() => {});
    await this.#directories.close().catch(() => {});
    await this.#log.close();
  }

  async #queue(planned: Item): Promise<void> {
    await this.request.prepare();
    const item = this.#publishing?.withName(planned) ?? planned;
    if (this.#large !== undefined && item.entry.type === "file" && item.entry.sizeBytes >= LARGE_BYTES) {
      this.#large.add(item);
      return;
    }
    this.#add(item);
    if (this.#batch.isFull) await this.#flush();
  }

  /** Queues all names of a file for the same mover, or they would arrive as several files. */
  async #queueGroup(items: readonly Item[]): Promise<void> {
    await this.request.prepare();
    await this.#openPassedOver(items);
    for (const item of items) this.#add(this.#publishing?.withName(item) ?? item);
    if (this.#batch.isFull) await this.#flush();
  }

  #add(item: Item): void {
    this.#batch.add(item);
    this.request.runner.expect(1, "copy");
  }

  async #flush(): Promise<void> {
    const items = this.#batch.take();
    if (items.length > 0) await this.#pool.start(() => this.#move(items));
  }

  async #move(items: readonly Item[]): Promise<void> {
    await this.#log.add(items);
    await this.#note(await this.request.mover.move(items));
  }

  /** Records the results of items that were copied. */
  async #note(outcome: MoveOutcome): Promise<void> {
    this.#recorder.note(outcome);
    this.#databases.addFound(outcome.databases);
    if (this.#publishing !== undefined) return await this.#publishing.take(outcome);
    this.#recorder.collect(outcome.moved);
    for (const item of outcome.moved) {
      const { sending, settings: { policy } } = this.request;
      if (refersToLater(item, this.#times, policy)) this.#recorder.miss(item, NEWER_REASON, "newer");
      else if (refers(item, policy)) sending.watch(item);
    }
  }

  /** Publishes a large file in a live directory as soon as it is complete: until then the old file takes up space, too. */
  async #publishLarge(item: Item): Promise<void> {
    await this.#log.add([item]);
    if (this.#publishing === undefined) this.#recorder.collect([item]);
    else if (!this.#publishing.directories.count(item)) await this.#publishing.publishFiles([item]);
    else this.#recorder.collect([item]);
  }

  async #finishLarge(): Promise<void> {
    const { outcome, again = [] } = await this.#large?.finish() ?? {};
    if (outcome !== undefined) await this.#note({ ...outcome, moved: [] });
    // Files that changed meanwhile are copied by the mover, which reports failures.
    if (again.length > 0) await this.#move(again);
    const { settings, runner } = this.request;
    if (this.#large !== undefined && settings.temporary === "directly") {
      await runner.run("removeTree", { path: `${settings.to}/${PARTIAL_DIRECTORY}` });
    }
  }

  /** Transfers what replaces a removed directory; where the directory still exists, it is in the way. */
  async #moveSuccessors(removals: "done" | "postponed"): Promise<void> {
    if (this.#successors.length === 0) return;
    const there = await lookAtPaths(this.request.roots.to, this.#successors.map(pathOf), this.request.runner);
    for (const item of this.#successors) {
      const obstacle = there.get(pathOf(item));
      if (obstacle === undefined) {
        const group = [item, ...this.#links.otherNames(item.entry)];
        await this.#directories.finishAgain(group.map(({ directory }) => directory));
        await this.#queueGroup(group);
        continue;
      }
      const path = pathOf(item);
      const reason = "a directory has its name until all other files have arrived";
      if (removals === "done") this.results.kept.push({ path, reason: "in the way" });
      else this.#recorder.miss(item, reason, "failed");
      this.#recorder.amend(item, obstacle);
    }
    await this.#flush();
    await this.#pool.settle();
    await this.#databases.moveInto("private directories");
    await this.#publishing?.publishAll();
    await this.#databases.moveInto("live directories");
  }
}
