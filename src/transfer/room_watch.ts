// Sees to it that a transfer that can't fit is refused before it has filled the disk, while the walk still goes on.
import type { System } from "../system/system.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { TransferRequest } from "./request.ts";
import { readRoom, refuseWithoutRoom, type Room } from "./room.ts";
import { toTransfer } from "./survey.ts";

/** With less than that planned nobody waits for what a quota's program says: it is written meanwhile, and may count twice. */
const LITTLE = { files: 64, sizeBytes: 16 * 1024 * 1024 };

/** Counts what is planned against what is free; `await using` ends its asking. */
export class RoomWatch implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #system: System;
  readonly #groups = new Set<string>();
  #planned = { files: 0, sizeBytes: 0 };
  #asking: Promise<Room> | undefined;
  #room: Room | undefined;

  constructor(readonly request: Pick<TransferRequest, "to" | "publish">, system: System) {
    this.#system = { ...system, signal: AbortSignal.any([system.signal, this.#stop.signal]) };
  }

  /**
   * Counts what a directory's plan writes where these entries stand. A file with several names counts once, holes don't, and
   * what replaces something needs no inode; it needs the bytes, though, until the old file is gone. The first file makes it ask
   * for the room, in the background.
   */
  add(plan: DirectoryPlan, there: readonly Entry[]): void {
    const entries = toTransfer(plan);
    if (entries.length + plan.makes.length === 0) return;
    this.#asking ??= readRoom(this.request.to, this.#system).then((room) => this.#room = room);
    const before = new Map(there.map((entry) => [entry.name, entry]));
    this.#planned.files += plan.makes.filter(({ name }) => !before.has(name)).length;
    for (const entry of entries) {
      if (entry.linkGroup !== "") {
        if (this.#groups.has(entry.linkGroup)) continue;
        this.#groups.add(entry.linkGroup);
      }
      const old = before.get(entry.name);
      if (old === undefined) this.#planned.files++;
      // In a tree that nobody reads half a file is continued or replaced at once.
      const reused = this.request.publish === "unpublished" ? old?.allocatedBytes ?? 0 : 0;
      this.#planned.sizeBytes += Math.max(0, entry.allocatedBytes - reused);
    }
  }

  /** Throws a CliError `no-space` as soon as what was added exceeds the room. Waits for the answer, unless it is little yet. */
  async checkSoFar(): Promise<void> {
    const { files, sizeBytes } = this.#planned;
    if (this.#room === undefined && files <= LITTLE.files && sizeBytes <= LITTLE.sizeBytes) return;
    await this.#check("so far");
  }

  /** The same when everything was added. */
  async check(): Promise<void> {
    await this.#check("all");
  }

  async #check(extent: "all" | "so far"): Promise<void> {
    refuseWithoutRoom(this.request.to, await this.#asking ?? [], this.#planned, extent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#asking;
  }
}
