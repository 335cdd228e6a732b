// The results of a transfer and the changes to its record, gathered as they happen. The record gets only what both sides have
// in common; the next transfer decides about everything else.
import { joinName, splitLast } from "../posix/file_names.ts";
import { type Item, type MissingItem, type MoveOutcome, pathOf } from "./item.ts";
import { type EntryState, removedName } from "./entry.ts";
import type { Manifest, ManifestBuilder } from "./manifest.ts";
import type { MissingCause } from "./missing.ts";
import type { KeptPath, MissingPath } from "./request.ts";

/** What was done. */
export interface TransferResults {
  filesDone: number;
  bytesDone: number;
  readonly deleted: string[];
  /** Paths that arrived, where they are collected. */
  readonly transferred: string[] | undefined;
  readonly kept: KeptPath[];
  readonly missing: MissingPath[];
  readonly stderrTail: string[];
}

type Name = Pick<Item, "directory" | "entry">;

/** A bit above all permission bits, so that no file has this mode. */
const IMPOSSIBLE_MODE = 0o10000;

/** A new directory that is not published, with the files in it. */
export interface Withdrawn {
  readonly path: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** Keeps the results and the changes. */
export class ResultRecorder {
  readonly results: TransferResults;
  readonly #changes = new Map<string, Map<string, EntryState | undefined>>();

  constructor(
    readonly manifest: ManifestBuilder,
    readonly record: Manifest | undefined,
    names: "collect" | "count",
  ) {
    const transferred = names === "collect" ? [] : undefined;
    this.results = { filesDone: 0, bytesDone: 0, deleted: [], transferred, kept: [], missing: [], stderrTail: [] };
  }

  /** Takes the results of a batch. */
  note(outcome: MoveOutcome): void {
    for (const item of outcome.changed) this.amend(item, item.entry);
    for (const item of outcome.resumed) this.resume(item);
    for (const item of outcome.leftOut) this.amend(item, this.recordedOf(item));
    for (const missing of outcome.missing) this.lose(missing);
    this.results.stderrTail.push(...outcome.stderrTail);
  }

  /** Records an item that an earlier transfer copied. */
  resume(item: Item): void {
    this.amend(item, this.manifest.resumed(item.entry));
  }

  /** Records that an item could not be transferred. */
  lose({ item, reason, cause, receiver }: Omit<MissingItem, "errno">): void {
    this.amend(item, receiver === "as it was" ? this.recordedOf(item) : undefined);
    this.miss(item, reason, cause);
  }

  /** Reports a name that did not arrive. */
  miss(item: Name, reason: string, cause: MissingCause): void {
    const type = item.entry.type === "directory" ? "directory" : "file";
    this.results.missing.push({ path: pathOf(item), reason, cause, type, files: 1, sizeBytes: item.entry.sizeBytes });
  }

  /** Lists names that were published, if the request wants a list. */
  collect(items: readonly Name[]): void {
    this.results.transferred?.push(...items.map(pathOf));
  }

  /** A new directory is not published with its content: keep what was recorded of it. */
  withdraw({ path, files, sizeBytes }: Withdrawn, reason: string): void {
    this.results.missing.push({ path, reason, cause: "failed", type: "directory", files, sizeBytes });
    this.manifest.restore(path);
    for (const directory of this.#changes.keys()) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#changes.delete(directory);
    }
    this.#amendPath(path, this.#recordedAt(path));
    const { transferred } = this.results;
    if (transferred === undefined) return;
    const others = transferred.filter((other) => !other.startsWith(`${path}/`));
    transferred.splice(0, transferred.length, ...others);
  }

  /** The same as {@linkcode keep} for a path. */
  keepPath(path: string, reason: KeptPath["reason"]): void {
    this.results.kept.push({ path, reason });
    this.#amendPath(path, this.#recordedAt(path));
  }

  /** Leaves the entry of the receiving side alone and keeps its record. */
  keep(item: Name, reason: KeptPath["reason"]): void {
    this.results.kept.push({ path: pathOf(item), reason });
    this.amend(item, this.recordedOf(item));
  }

  /** Records that an entry was removed on the receiving side. */
  removed(item: Name): void {
    const path = pathOf(item);
    this.results.deleted.push(removedName(path, item.entry));
    if (item.entry.type !== "directory") return;
    this.manifest.drop(path);
    this.#changes.delete(path);
  }

  /** Records that an entry could not get its intended state; it stays in the state given. */
  fail(item: Name, state: EntryState, reason: string): void {
    const type = item.entry.type === "directory" ? "directory" : "file";
    this.results.missing.push({ path: pathOf(item), reason, cause: "failed", type, files: 0, sizeBytes: 0 });
    this.amend(item, state);
  }

  /** Records a file that could not get its mode with one that no file has, so that the next transfer compares it again. */
  failMode(item: Name, reason: string): void {
    const { type, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget } = item.entry;
    const state = { type, mode: IMPOSSIBLE_MODE, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget };
    this.fail(item, state, `its permissions cannot be changed: ${reason}`);
  }

  /** Records another state than planned; `undefined` removes the name from the record. */
  amend({ directory, entry }: Name, state: EntryState | undefined): void {
    this.#amendPath(joinName(directory, entry.name), state);
  }

  /** The same as {@linkcode amend} for a name alone. */
  amendName(directory: string, name: string, state: EntryState | undefined): void {
    this.#amendPath(joinName(directory, name), state);
  }

  /** A directory without its mode and time is recorded with time 0, which hardly any has, so the next transfer looks at it. */
  unfinished(path: string, { type, mode, sizeBytes, linkTarget }: EntryState): void {
    const state = { type, mode, sizeBytes, linkTarget, mtimeSeconds: 0, mtimeNanoseconds: 0 };
    if (path === "") return this.manifest.addRoot(state);
    this.#amendPath(path, state);
  }

  #amendPath(path: string, state: EntryState | undefined): void {
    const [directory, name] = splitLast(path);
    const changes = this.#changes.get(directory) ?? new Map<string, EntryState | undefined>();
    this.#changes.set(directory, changes.set(name, state));
  }

  /** Writes the changes into the record. */
  close(): void {
    for (const [directory, changes] of this.#changes) this.manifest.amend(directory, changes);
  }

  /** What was recorded of a name before. */
  recordedOf(item: Name): EntryState | undefined {
    return this.#recordedAt(pathOf(item));
  }

  #recordedAt(path: string): EntryState | undefined {
    const [directory, name] = splitLast(path);
    return this.record?.entriesOf(directory)?.get(name);
  }
}
