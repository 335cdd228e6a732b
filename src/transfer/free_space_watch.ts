// Refuses a transfer that does not fit before it has filled the disk, while the walk still goes on.
import type { System } from "../system/system.ts";
import { keepsFilesBack } from "../tools/rsync.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import { meaningOf } from "./intent.ts";
import { LARGE_AT_ONCE } from "./large_copy.ts";
import { LARGE_BYTES } from "./large_files.ts";
import type { TransferRequest } from "./request.ts";
import { type FreeSpace, readFreeSpace, refuseWithoutSpace } from "./free_space.ts";
import { toTransfer } from "./counters.ts";

/** Below this size, start writing without waiting for the quota command, although the files may then count twice. */
const SMALL_TRANSFER = { files: 64, sizeBytes: 16 * 1024 * 1024 };

/** Compares the planned size with the free space; `await using` stops the quota command. */
export class FreeSpaceWatch implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #system: System;
  readonly #groups = new Set<string>();
  #planned = { files: 0, sizeBytes: 0 };
  /** The sizes of files that replace others; for large ones, only of as many as are copied at a time. */
  #replacements = { smallBytes: 0, large: [] as number[] };
  #asking: Promise<FreeSpace> | undefined;
  #freeSpace: FreeSpace | undefined;

  /** `smallBytesAtOnce`: the largest size of small files under way. */
  constructor(
    readonly request: Pick<TransferRequest, "to" | "intent" | "extraArgs" | "quotaProgram">,
    readonly smallBytesAtOnce: number,
    system: System,
  ) {
    this.#system = { ...system, signal: AbortSignal.any([system.signal, this.#stop.signal]) };
  }

  /**
   * Adds what a directory's plan writes; `there`: the present entries. A file with several names counts once, holes do not,
   * and a replacement needs no inode, and its bytes only until the old file is removed. The first file starts the query for
   * free space, in the background.
   */
  add(plan: DirectoryPlan, there: readonly Entry[]): void {
    const entries = toTransfer(plan);
    if (entries.length + plan.makes.length === 0) return;
    const { to, quotaProgram } = this.request;
    this.#asking ??= readFreeSpace(to, quotaProgram, this.#system).then((freeSpace) => this.#freeSpace = freeSpace);
    const before = new Map(there.map((entry) => [entry.name, entry]));
    this.#planned.files += plan.makes.filter(({ name }) => !before.has(name)).length;
    for (const entry of entries) {
      if (entry.linkGroup !== "") {
        if (this.#groups.has(entry.linkGroup)) continue;
        this.#groups.add(entry.linkGroup);
      }
      const old = before.get(entry.name);
      if (old === undefined) this.#planned.files++;
      this.#planned.sizeBytes += Math.max(0, entry.allocatedBytes - (old?.allocatedBytes ?? 0));
      // In a private tree a half-written file is continued or replaced directly.
      if (old !== undefined && meaningOf(this.request.intent).receivingSide === "live") {
        this.#addReplacement(entry.allocatedBytes);
      }
    }
  }

  #addReplacement(sizeBytes: number): void {
    if (sizeBytes < LARGE_BYTES) {
      this.#replacements.smallBytes += sizeBytes;
      return;
    }
    const { large } = this.#replacements;
    large.push(sizeBytes);
    large.sort((one, other) => other - one);
    large.length = Math.min(large.length, LARGE_AT_ONCE.waiting);
  }

  /** The free space needed: the growth, and the replacements under way, since old and new file exist together for a while. */
  #needed(): { files: number; sizeBytes: number } {
    const { smallBytes, large } = this.#replacements;
    const underWay = Math.min(smallBytes, this.smallBytesAtOnce) + large.reduce((sum, bytes) => sum + bytes, 0);
    return { ...this.#planned, sizeBytes: this.#planned.sizeBytes + underWay };
  }

  /** Throws a CliError `no-space` once the sum exceeds the free space. Waits for the query, unless the sum is small. */
  async checkSoFar(): Promise<void> {
    const { files, sizeBytes } = this.#needed();
    if (this.#freeSpace === undefined && files <= SMALL_TRANSFER.files && sizeBytes <= SMALL_TRANSFER.sizeBytes) return;
    await this.#check("so far");
  }

  /** The same, when everything was added. */
  async check(): Promise<void> {
    await this.#check("all");
  }

  async #check(extent: "all" | "so far"): Promise<void> {
    // With filters the planned size is an upper bound: rely on ENOSPC.
    if (keepsFilesBack(this.request.extraArgs)) return;
    refuseWithoutSpace(this.request.to, await this.#asking ?? [], this.#needed(), extent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#asking;
  }
}
