// Copies large files in parts, several parts at a time: one stream does not fill a parallel file system, and a huge file at the
// end would delay the whole transfer. The largest goes first; after a kill the next transfer copies only the missing parts.
import { createHash } from "node:crypto";
import { messageOf } from "../errors/errors.ts";
import { readBootId } from "../posix/boot_id.ts";
import { type Calls, waitingCalls } from "../posix/calls.ts";
import { AttributeSupport, copyAttributes, listAttributes } from "../posix/content.ts";
import { isFullDiskErrno, succeeded, SystemCallError } from "../posix/errno.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import { syncPath } from "../posix/durable.ts";
import { handleBudget } from "../posix/handles.ts";
import { timesOf } from "../posix/status.ts";
import { type LinkMap, Tree } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import type { System } from "../system/system.ts";
import type { BandwidthLimit } from "./bandwidth.ts";
import { isSparse, sameContent } from "./entry.ts";
import { GONE, type Item, type MoveOutcome, pathOf } from "./item.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { hasVanished } from "./jobs/list.ts";
import { type FileName, LARGE_AT_ONCE, type LargeCopy, openLargeCopy, partBuffer } from "./large_copy.ts";
import { CHANGING_REASON } from "./missing.ts";
import { entryAt } from "./publish.ts";
import { keptOf, noSpaceError } from "./free_space.ts";

/** Files from this size on are copied in parts. */
export const LARGE_BYTES = 32 * 1024 * 1024;

/** How large files are written. */
export interface LargeFilesRequest {
  readonly settings: CopySettings;
  /** Which links of the source are followed. */
  readonly links: LinkMap | undefined;
  /** `waiting` where a server answers. */
  readonly form: Calls["form"];
  /** A directory for journals, relative to the receiving root; undefined: no copy can be continued. */
  readonly journals: string | undefined;
  readonly limit: BandwidthLimit | undefined;
  readonly system: System;
  /** Gets each file that is complete under its private name, and whether an earlier transfer copied at least a part of it. */
  readonly onWhole: (item: Item, copied: "now" | "earlier") => Promise<void>;
  readonly onDone: (files: number, sizeBytes: number) => void;
  /** Called once with the error that ends the transfer: a full disk, a signal. */
  readonly onFailure: (error: unknown) => void;
}

/** A file that is being copied. */
interface Copying {
  readonly item: Item;
  readonly copy: LargeCopy;
  /** Where it is written. */
  readonly temporaryFile: FileName;
  readonly count: { doneBytes: number };
  next: number;
  left: number;
  isGivenUp: boolean;
}

/** Copies large files as they are handed over. */
export class LargeFiles {
  readonly #waiting: Item[] = [];
  readonly #copying: Copying[] = [];
  /** The copies whose files are open; an error that ends the transfer leaves some open. */
  readonly #open = new Set<Copying>();
  readonly #outcome = {
    moved: [] as Item[],
    changed: [],
    resumed: [],
    missing: [] as MoveOutcome["missing"][number][],
    leftOut: [],
    databases: [],
    stderrTail: [],
  };
  readonly #again: Item[] = [];
  readonly #lanes = new Set<Promise<void>>();
  /** Lanes that will still look for a waiting file. A lane that found none no longer counts, although it may still run. */
  #lanesAtWork = 0;
  readonly #calls: Calls;
  readonly #from: Tree;
  readonly #to: Tree;
  /** The tree that is written to. */
  readonly #temporaryTree: Tree;
  readonly #support = new AttributeSupport();
  #added = 0;
  #bootId: Promise<string> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly request: LargeFilesRequest) {
    const { settings, system } = request;
    // Always waiting calls: the main isolate must stay free for signals, locks and progress.
    this.#calls = system.calls?.("waiting") ?? waitingCalls();
    this.#from = new Tree(settings.from, this.#calls, request.links);
    this.#to = new Tree(settings.to, this.#calls);
    this.#temporaryTree = settings.temporary === "directly" ? this.#to : new Tree(settings.temporary, this.#calls);
  }

  /** Copies a file; it starts as soon as a lane is free. */
  add(item: Item): void {
    this.#added++;
    const index = this.#waiting.findIndex((other) => other.entry.sizeBytes < item.entry.sizeBytes);
    this.#waiting.splice(index === -1 ? this.#waiting.length : index, 0, item);
    const width = handleBudget().state === "tight" ? 1 : LARGE_AT_ONCE[this.request.form];
    if (this.#lanesAtWork >= width) return;
    this.#lanesAtWork++;
    const lane = this.#work().catch((error) => {
      this.#failure ??= { error };
      this.request.onFailure(error);
    }).finally(() => this.#lanes.delete(lane));
    this.#lanes.add(lane);
  }

  /** Waits for all copies. `again`: files that changed or failed, for the mover to try. Throws where the disk is full. */
  async finish(): Promise<{ readonly outcome: MoveOutcome; readonly again: readonly Item[] }> {
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes]);
    for (const copying of this.#open) this.#close(copying);
    for (const tree of [this.#from, this.#to, this.#temporaryTree]) tree.close();
    if (this.#failure !== undefined) throw this.#failure.error;
    const { moved, missing } = this.#outcome;
    const ended = moved.length + this.#again.length + missing.length;
    // A file without a result must never count as copied.
    if (ended !== this.#added) {
      throw new Error(`${this.#added} large files were to be copied, and ${ended} are known of`);
    }
    return { outcome: this.#outcome, again: this.#again };
  }

  async #work(): Promise<void> {
    const buffer = partBuffer(this.request.form);
    for (;;) {
      this.request.system.signal.throwIfAborted();
      const next = await this.#nextPart();
      if (next === undefined) return;
      const { copying, part } = next;
      const { copy } = copying;
      try {
        if (copy.has(part)) this.#count(copying.count, copy.partBytes(part));
        else if (!copying.isGivenUp) await run(copy.copyPart(part, buffer));
      } catch (error) {
        await this.#giveUp(copying, error);
      }
      if (--copying.left > 0) continue;
      if (!copying.isGivenUp) await this.#complete(copying);
      this.#close(copying);
    }
  }

  /** Takes the next part. Must not wait between looking at a file and taking its part: another lane would take the same one. */
  async #nextPart(): Promise<{ readonly copying: Copying; readonly part: number } | undefined> {
    for (;;) {
      const copying = this.#copying[0];
      if (copying !== undefined) {
        const part = copying.next++;
        if (copying.next >= copying.copy.parts) this.#copying.shift();
        return { copying, part };
      }
      const item = this.#waiting.shift();
      if (item === undefined) {
        this.#lanesAtWork--;
        return undefined;
      }
      try {
        if (await this.#isWritten(item)) continue;
        const bootId = this.request.journals === undefined ? "" : await (this.#bootId ??= readBootId(this.#calls));
        const begun = await run(this.#begin(item, bootId));
        this.#open.add(begun);
        this.#copying.push(begun);
      } catch (error) {
        await this.#fail(item, error);
      }
    }
  }

  /** Whether a killed transfer has already brought a file of a new directory. */
  async #isWritten(item: Item): Promise<boolean> {
    if (item.written === undefined) return false;
    const [directory, name] = splitLast(item.written);
    if (directory === "") return false;
    const there = await run(entryAt(this.#temporaryTree, directory, name));
    if (there === undefined || !sameContent(item.entry, there, this.request.settings.traits.timeStep)) return false;
    if (this.#mustSync(item) && !(await this.#syncWritten(item.written))) return false;
    this.request.onDone(1, item.entry.sizeBytes);
    this.#outcome.moved.push(item);
    await this.request.onWhole(item, "earlier");
    return true;
  }

  /** Whether a file must be synced before it is published: one with holes has its full size from the beginning. */
  #mustSync({ entry }: Item): boolean {
    return this.request.settings.durability === "durable" || this.request.form === "waiting" || isSparse(entry);
  }

  /** False if fsync(2) fails: the file is written again then, since the kernel reports a write error only once. */
  async #syncWritten(written: string): Promise<boolean> {
    return await syncPath(this.#temporaryTree.pathOf(written), this.#calls).then(() => true, () => false);
  }

  *#begin(item: Item, bootId: string): Work<Copying> {
    const { entry, directory, written = joinName(directory, entry.name) } = item;
    const { form, journals, settings, limit, system } = this.request;
    const source = { tree: this.#from, directory, name: entry.name };
    const [writtenDirectory, name] = splitLast(written);
    const temporaryFile = { tree: this.#temporaryTree, directory: writtenDirectory, name };
    const count = { doneBytes: 0 };
    const copy = yield* openLargeCopy({
      ...{ calls: this.#calls, form, source, entry, temporaryFile, limit, signal: system.signal },
      journal: journals === undefined ? undefined : { path: `${settings.to}/${journals}/${journalName(item)}`, bootId },
      onBytes: (sizeBytes) => this.#count(count, sizeBytes),
    });
    return { item, copy, temporaryFile, count, next: 0, left: copy.parts, isGivenUp: false };
  }

  #count(count: Copying["count"], sizeBytes: number): void {
    count.doneBytes += sizeBytes;
    this.request.onDone(0, sizeBytes);
  }

  async #complete(copying: Copying): Promise<void> {
    const { item } = copying;
    try {
      const isSame = await run(this.#seal(copying));
      if (!isSame) throw new Error(CHANGING_REASON);
      this.request.onDone(1, 0);
      this.#outcome.moved.push(item);
    } catch (error) {
      return await this.#giveUp(copying, error);
    }
    await this.request.onWhole(item, copying.copy.isContinued ? "earlier" : "now");
  }

  /** Sets metadata, syncs and closes the file; false if the source has changed since the plan. */
  *#seal({ item, copy }: Copying): Work<boolean> {
    const calls = this.#calls;
    const { source, target } = copy;
    const { entry, replaces } = item;
    const { keep, owners, umask, traits } = this.request.settings;
    const fromPath = this.#from.pathOf(item.directory, entry.name);
    const toPath = this.#to.pathOf(item.directory, entry.name);
    if (!(yield* copy.isSourceUnchanged())) return false;
    if (keep === "copy") {
      if (owners === "same") succeeded(yield calls.fchown(target, entry.userId, entry.groupId), "chown", toPath);
      const pair = { from: source, to: target, fromPath, toPath };
      const names = yield* listAttributes(calls, pair, this.#support);
      if (names.length > 0) yield* copyAttributes(calls, names, pair, this.#support);
    }
    const mode = keep === "copy" ? entry.mode : replaces?.type === "file" ? replaces.mode : entry.mode & 0o777 & ~umask;
    if (traits.modes === "kept") succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
    // A file with its final time counts as complete, and one with a journal had its full size from the beginning. So fsync(2)
    // its content before setting the time, or a crash of the node could leave the time without the content.
    const isSynced = copy.journal !== undefined || this.#mustSync(item);
    if (isSynced) yield* copy.sync();
    const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
    succeeded(yield calls.futimens(target, times), "utimens", toPath);
    if (isSynced) yield* copy.sync();
    yield* copy.closeTarget();
    return true;
  }

  #close(copying: Copying): void {
    this.#open.delete(copying);
    copying.copy.close();
  }

  async #giveUp(copying: Copying, error: unknown): Promise<void> {
    if (copying.isGivenUp) return;
    copying.isGivenUp = true;
    this.request.onDone(0, -copying.count.doneBytes);
    await this.#fail(copying.item, error);
    // After an error at fsync(2) or close(2) the file has its final time, so the mover would take it for complete.
    await run(copying.copy.removeWritten());
  }

  /** A full disk and a signal end the transfer; after any other error, the mover tries this file once more. */
  async #fail(item: Item, error: unknown): Promise<void> {
    this.request.system.signal.throwIfAborted();
    if (error instanceof SystemCallError && isFullDiskErrno(error.errno)) {
      throw noSpaceError(this.request.settings.to, [messageOf(error)], keptOf(this.request.settings));
    }
    if (!await run(hasVanished(this.#from, item.directory, item.entry.name, error))) {
      this.#again.push(item);
      return;
    }
    this.#outcome.missing.push({ item, ...GONE });
  }
}

/** The hash is of the whole path: files of the same name must not share a journal and trust each other's parts. */
function journalName(item: Item): string {
  return createHash("sha256").update(pathOf(item)).digest("hex");
}
