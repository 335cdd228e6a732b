// What was done, and what of it is on both sides now: the tally of a transfer and the changes to its record, gathered as it
// happens. What is said to be recorded is what both sides have in common; everything else the next transfer has to decide.
import { type Item, type MoveOutcome, pathOf } from "./item.ts";
import type { EntryState } from "./entry.ts";
import type { Manifest, ManifestBuilder } from "./manifest.ts";
import type { MissingCause } from "./missing.ts";
import type { KeptPath, MissingPath } from "./request.ts";

/** What was done. */
export interface Tally {
  filesDone: number;
  bytesDone: number;
  readonly deleted: string[];
  /** Paths that arrived, where they are collected. */
  readonly transferred: string[] | undefined;
  readonly kept: KeptPath[];
  readonly missing: MissingPath[];
  readonly lastWords: string[];
}

type Name = Pick<Item, "directory" | "entry">;

/** Keeps the tally and the changes. */
export class Ledger {
  readonly tally: Tally;
  readonly #changes = new Map<string, Map<string, EntryState | undefined>>();

  constructor(
    readonly manifest: ManifestBuilder,
    readonly baseline: Manifest | undefined,
    names: "collect" | "count",
  ) {
    const transferred = names === "collect" ? [] : undefined;
    this.tally = { filesDone: 0, bytesDone: 0, deleted: [], transferred, kept: [], missing: [], lastWords: [] };
  }

  /** Takes what became of a batch. */
  note(items: readonly Name[], outcome: MoveOutcome): void {
    this.#collect(items, outcome);
    for (const item of outcome.arrived) this.amend(item, item.entry);
    for (const item of outcome.leftOut) this.amend(item, this.#recordedOf(item));
    for (const item of outcome.overtaken) this.keep(item, "changed there");
    for (const { item, reason, cause, receiver } of outcome.missing) {
      this.amend(item, receiver === "as it was" ? this.#recordedOf(item) : undefined);
      this.miss(item, reason, cause);
    }
    this.tally.lastWords.push(...outcome.lastWords);
  }

  /** Names what did not arrive. */
  miss(item: Name, reason: string, cause: MissingCause): void {
    const type = item.entry.type === "directory" ? "directory" : "file";
    this.tally.missing.push({ path: pathOf(item), reason, cause, type, files: 1, sizeBytes: item.entry.sizeBytes });
  }

  #collect(items: readonly Name[], { missing, overtaken, leftOut }: MoveOutcome): void {
    const { transferred } = this.tally;
    if (transferred === undefined) return;
    const lost = new Set([...missing.map(({ item }) => item), ...overtaken, ...leftOut].map(pathOf));
    for (const path of items.map(pathOf)) if (!lost.has(path)) transferred.push(path);
  }

  /** What stands there is left alone; what was recorded of it holds. */
  keep(item: Name, reason: KeptPath["reason"]): void {
    this.tally.kept.push({ path: pathOf(item), reason });
    this.amend(item, this.#recordedOf(item));
  }

  /** Something was removed there. */
  removed(item: Name): void {
    const path = pathOf(item);
    this.tally.deleted.push(path);
    if (item.entry.type !== "directory") return;
    this.manifest.drop(path);
    this.#changes.delete(path);
  }

  /** Something could not be made as it should be; it stays in that state. */
  fail(item: Name, state: EntryState, reason: string): void {
    const type = item.entry.type === "directory" ? "directory" : "file";
    this.tally.missing.push({ path: pathOf(item), reason, cause: "failed", type, files: 0, sizeBytes: 0 });
    this.amend(item, state);
  }

  /** Records another state than was planned; `undefined`: none. */
  amend({ directory, entry }: Name, state: EntryState | undefined): void {
    const changes = this.#changes.get(directory) ?? new Map<string, EntryState | undefined>();
    changes.set(entry.name, state);
    this.#changes.set(directory, changes);
  }

  /** A directory without its mode and time: it is recorded with a time it can't have, so that the next transfer looks at it. */
  unfinished(path: string, { type, mode, sizeBytes, linkTarget }: EntryState): void {
    const state = { type, mode, sizeBytes, linkTarget, mtimeSeconds: 0, mtimeNanoseconds: 0 };
    if (path === "") return this.manifest.addRoot(state);
    const cut = path.lastIndexOf("/");
    const [directory, name] = [path.slice(0, Math.max(0, cut)), path.slice(cut + 1)];
    const changes = this.#changes.get(directory) ?? new Map<string, EntryState | undefined>();
    this.#changes.set(directory, changes.set(name, state));
  }

  /** Brings the changes into the record. */
  close(): void {
    for (const [directory, changes] of this.#changes) this.manifest.amend(directory, changes);
  }

  #recordedOf({ directory, entry }: Name): EntryState | undefined {
    return this.baseline?.entriesOf(directory)?.get(entry.name);
  }
}
