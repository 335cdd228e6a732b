// Publishes what was copied, phase by phase (phases.ts), in directories that other programs use.
//
// Everything is written below the temporary directory first: files of a new directory into that directory as it is built, each
// other file under a private name. When all are copied, new directories and files are published in the order of the phases.
// The number of held files is limited: files of the first phase are published earlier when more than HELD of them wait.
// If a file could not be copied, files that point at it keep their old state, and a new directory that would be incomplete is
// not published. A push transfers all it can, since what stays only on scratch will be purged.
import { removeOutdated } from "./adopted.ts";
import type { Selection } from "../filter/selection.ts";
import { Pool } from "../system/pool.ts";
import { isLimitErrno } from "../posix/errno.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { labelOf, stateText } from "./entry_text.ts";
import { HeldFiles } from "./held_files.ts";
import { copyItemOf, type Item, type MissingItem, type MoveOutcome, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { destinationOf } from "./needed_names.ts";
import type { ResultRecorder } from "./result_recorder.ts";
import { NewDirectories, type NewDirectory, phaseOfDirectory } from "./new_directories.ts";
import { holdsReferences, type Phase, phaseOf, PHASES, pointsElsewhere, unitOf } from "./phases.ts";
import type { SendingDirectories } from "./sending_directories.ts";
import { NEWER_REASON, refers, refersToLater, type WalkTimes } from "./written_meanwhile.ts";

/** Limit for held files of the first phase: a killed transfer loses them, and old files take up space until then, too. */
export const HELD = { files: 32_768, sizeBytes: 256 * 1024 ** 2 };

/** Jobs at a time. */
const JOBS_AT_ONCE = { plain: 2, waiting: 4 };

/** Directories that one job publishes. */
const DIRECTORIES_AT_ONCE = 64;

/** What publishing needs. */
export interface PublishingRequest {
  readonly settings: CopySettings & { readonly temporary: string };
  /** Directories that a killed transfer was building. */
  readonly adopted: Set<string>;
  readonly selection: Selection | undefined;
  readonly runner: JobRunner;
  readonly recorder: ResultRecorder;
  readonly times: WalkTimes;
  readonly sending: SendingDirectories;
  /** Makes the parent of a directory that is made by need writable. */
  readonly openParent: (directory: string) => Promise<void>;
  /** Gets files and bytes that were counted as done and then could not be published. */
  readonly onLost: (files: number, sizeBytes: number) => void;
}

/** Holds copied files and publishes them. */
export class Publishing {
  readonly directories: NewDirectories = new NewDirectories();
  readonly #held: Readonly<Record<Phase, HeldFiles>> = {
    contents: new HeldFiles(),
    links: new HeldFiles(),
    "new pointers": new HeldFiles(),
    pointers: new HeldFiles(),
  };
  /** For each path that did not arrive, and each directory above one, a path to name; a failed path replaces a vanished one. */
  readonly #failed = new Map<string, { readonly path: string; readonly cause: "failed" | "vanished" }>();
  /** References in new directories. */
  readonly #newReferences: Item[] = [];
  #names = 0;

  constructor(readonly request: PublishingRequest) {}

  /** Sets where an item is written. */
  withName(item: Item): Item {
    const directory = this.directories.writtenAt(item.directory);
    const written = directory === undefined ? `held-${this.#names++}` : joinName(directory, item.entry.name);
    return { ...item, written };
  }

  /** Continues a directory that a killed transfer was building. */
  async adopt(directory: NewDirectory): Promise<void> {
    const { adopted, selection, settings, runner } = this.request;
    if (adopted.delete(directory.written)) await removeOutdated(directory, { ...settings, selection }, runner);
  }

  /** Takes the results of items. */
  async take({ moved, missing }: Pick<MoveOutcome, "moved" | "missing">): Promise<void> {
    for (const { item, ...reason } of missing) this.fail(pathOf(item), reason);
    for (const item of moved) {
      if (refers(item, this.request.settings.policy)) this.request.sending.watch(item);
      if (this.directories.count(item)) this.#addToNew(item);
      else this.#held[phaseOf(item.directory, item.entry, item.replaces)].add(item);
    }
    const { contents } = this.#held;
    if (contents.files < HELD.files && contents.sizeBytes < HELD.sizeBytes) return;
    for (const items of contents.take()) await this.publishFiles(items);
  }

  /**
   * Notes a path that could not be copied. A new directory is published even without files that the source does not give or
   * that the receiving file system cannot hold: else it would never be published.
   */
  fail(path: string, { cause, errno, reason }: Omit<MissingItem, "item" | "receiver">): void {
    if (cause === "vanished") this.#noteFailed(path, cause);
    if (cause !== "failed") return;
    this.#noteFailed(path, cause);
    const isLeftOut = errno !== undefined && isLimitErrno(errno);
    if (!isLeftOut && this.request.settings.policy !== "push") this.directories.fail(path, reason);
  }

  /** Takes an item of a new directory. All but references are published with it, even if they have to be looked at again. */
  #addToNew(item: Item): void {
    if (holdsReferences(item.directory)) {
      this.#newReferences.push(item);
      return;
    }
    const { recorder, times, settings: { policy } } = this.request;
    recorder.collect([item]);
    if (refersToLater(item, times, policy)) recorder.miss(item, NEWER_REASON, "newer");
  }

  /** Removes references of new directories that have to wait: without them, programs do not find what may be incomplete. */
  async #dropReferences(): Promise<void> {
    const { runner, recorder, settings: { temporary: root } } = this.request;
    const all = this.#newReferences.splice(0);
    const [early, others] = partition(all, (item) => this.#isKeptBack(item));
    recorder.collect(others);
    if (early.length === 0) return;
    const items = early.map(({ entry, written = "" }) => {
      const [directory, name] = splitLast(written);
      return [directory, labelOf(name, entry.linkTarget), stateText(entry)] as const;
    });
    await runner.run("remove", { root, check: "none", items }, { names: items.length });
  }

  /** Publishes everything that was copied. Directories already have their modes and times. */
  async publishAll(): Promise<void> {
    const { sending, recorder } = this.request;
    for (const { item, delay } of await sending.lookAgain()) recorder.miss(item, delay.reason, delay.cause);
    await this.#dropReferences();
    const directories = Map.groupBy(this.directories.takeAll(), phaseOfDirectory);
    for (const phase of PHASES) {
      const pool = new Pool(JOBS_AT_ONCE[this.request.runner.form]);
      const whole = (directories.get(phase) ?? []).filter((directory) => !this.#isWithheld(directory));
      for (let start = 0; start < whole.length; start += DIRECTORIES_AT_ONCE) {
        await pool.start(() => this.#publishDirectories(whole.slice(start, start + DIRECTORIES_AT_ONCE)));
      }
      await pool.settle();
      for (const items of this.#held[phase].take()) {
        const ready = phase === "contents" ? items : items.filter((item) => !this.#isKeptBack(item));
        await pool.start(() => this.publishFiles(ready));
      }
      await pool.settle();
    }
  }

  /** Publishes files that are complete under their private names. */
  async publishFiles(items: readonly Item[]): Promise<void> {
    if (items.length === 0) return;
    const { settings: { temporary, to, policy }, runner, recorder } = this.request;
    const results = await runner.run("publish", { temporary, to, policy, items: items.map(copyItemOf) }, {
      names: items.length,
    });
    for (const [index, item] of items.entries()) {
      const result = results[index];
      if (result === undefined) {
        recorder.collect([item]);
        continue;
      }
      this.request.onLost(1, item.entry.sizeBytes);
      if (result.kind === "failed") this.#lose(item, result.reason);
      else recorder.keep(item, result.kind);
    }
  }

  /** Notes a path that did not arrive, so that files that point at it are withheld. In a push, failed paths withhold nothing. */
  #noteFailed(path: string, cause: "failed" | "vanished" = "failed"): void {
    if (cause === "failed" && this.request.settings.policy === "push") return;
    const isNew = (above: string) => {
      const known = this.#failed.get(above);
      return known === undefined || (known.cause === "vanished" && cause === "failed");
    };
    for (let above = path; isNew(above); above = splitLast(above)[0]) this.#failed.set(above, { path, cause });
  }

  #lose(item: Item, reason: string): void {
    this.#noteFailed(pathOf(item));
    this.request.recorder.lose({ item, reason, cause: "failed", receiver: "as it was" });
  }

  /** A new directory from which a file is missing is not published: a program would take it for complete. */
  #isWithheld(directory: NewDirectory): boolean {
    const { path, failure, files, sizeBytes } = directory;
    if (failure === undefined) return false;
    this.request.onLost(files, sizeBytes);
    this.request.recorder.withdraw(directory, `not all that belongs into it could be copied (${failure})`);
    this.#noteFailed(path);
    return true;
  }

  /** A reference that is newer than the walk or than the listing of its unit, or points at a file that did not arrive, keeps its old state. */
  #isKeptBack(item: Item): boolean {
    const { times, sending, settings: { policy }, recorder, onLost } = this.request;
    const why = refersToLater(item, times, policy)
      ? { reason: NEWER_REASON, cause: "newer" } as const
      : (refers(item, policy) ? sending.delayOf(item) : undefined) ?? this.#lackOf(item);
    if (why === undefined) return false;
    onLost(1, item.entry.sizeBytes);
    recorder.lose({ item, ...why, receiver: "as it was" });
    return true;
  }

  /** Why a file that replaces another one, or a new reference, cannot be published: what it points at did not arrive. */
  #lackOf(item: Item): Pick<MissingItem, "reason" | "cause"> | undefined {
    const { directory, entry, replaces } = item;
    if (this.#failed.size === 0 || (replaces === undefined && !holdsReferences(directory))) return undefined;
    const unit = entry.type === "link" ? destinationOf(directory, entry.linkTarget) : unitOf(directory, entry.name);
    const lacks = unit === undefined ? undefined : this.#failed.get(unit);
    if (lacks === undefined) return undefined;
    if (lacks.cause === "failed") {
      return { reason: `it points at files of which "${lacks.path}" could not be copied`, cause: "failed" };
    }
    // Files come and go in every tree: that one vanished says something of references to it alone.
    if (entry.type !== "link" && !pointsElsewhere(directory)) return undefined;
    return { reason: `it points at files of which "${lacks.path}" vanished`, cause: "newer" };
  }

  async #publishDirectories(directories: readonly NewDirectory[]): Promise<void> {
    const { settings: { temporary, to }, runner, recorder, openParent } = this.request;
    for (const { path, making } of directories) if (making === "by need") await openParent(path);
    const items = directories.map(({ written, path, replaces }) =>
      [
        written,
        path,
        replaces === undefined ? "" : labelOf(replaces.name, replaces.linkTarget),
        replaces === undefined ? "" : stateText(replaces),
      ] as const
    );
    const results = await runner.run("publishDirectories", { temporary, to, items }, { names: items.length });
    for (const [index, directory] of directories.entries()) {
      const { path, files, sizeBytes } = directory;
      const result = results[index];
      if (result?.kind === "merged") {
        for (const other of result.changedThere) recorder.keepPath(other, "changed there");
      }
      if (result?.kind !== "failed") continue;
      this.request.onLost(files, sizeBytes);
      recorder.withdraw(directory, result.reason);
      this.#noteFailed(path);
    }
  }
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  const { first = [], other = [] } = Object.groupBy(all, (one) => isFirst(one) ? "first" : "other");
  return [first, other];
}
