// Counts files and bytes for plans, progress and outcomes.
import { type Selection, takesPart } from "../filter/selection.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import type { DirectoryPlan } from "./decide.ts";
import { type Entry, removedName } from "./entry.ts";
import type { ManifestBuilder } from "./manifest.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import { OutsideLinkList } from "./outside_links.ts";
import type {
  KeptPath,
  MissingPath,
  TransferPlan,
  TransferProgress,
  TransferRequest,
  UnreadablePath,
} from "./request.ts";
import type { UnchangedDirectory } from "./walk.ts";

/** A plan's figures. */
export type Totals = Pick<TransferPlan, "filesToTransfer" | "bytesToTransfer" | "filesTotal" | "bytesTotal">;

/** The figures of one transfer, with the paths that its plan or outcome names. */
export class TransferCounters {
  readonly kept: KeptPath[] = [];
  readonly unreadable: UnreadablePath[] = [];
  readonly outsideLinks = new OutsideLinkList();
  /** Which names take part, with what selected links lead to. */
  selection: Selection | undefined;
  readonly #request: TransferRequest;
  #counts = { filesToTransfer: 0, bytesToTransfer: 0, filesTotal: 0, bytesTotal: 0 };
  #done = { filesDone: 0, bytesDone: 0 };
  #phase: TransferProgress["phase"] = "comparing";
  #walked = false;
  #reportedAt = 0;

  constructor(request: TransferRequest) {
    this.#request = request;
    this.selection = request.selection;
  }

  add(plan: DirectoryPlan): void {
    for (const { name, reason } of plan.kept) this.kept.push({ path: joinName(plan.directory, name), reason });
    for (const entry of toTransfer(plan)) {
      this.#counts.filesToTransfer++;
      this.#counts.bytesToTransfer += entry.sizeBytes;
    }
    for (const [, state] of plan.records) {
      if (state.type === "directory") continue;
      this.#counts.filesTotal++;
      this.#counts.bytesTotal += state.sizeBytes;
    }
    if (this.#counts.filesToTransfer > 0) this.#phase = "transferring";
    this.#report();
  }

  addUnchanged({ block }: UnchangedDirectory): void {
    this.#counts.filesTotal += block.files;
    this.#counts.bytesTotal += block.sizeBytes;
    this.#report();
  }

  addUnreadable(
    directory: string,
    side: "from" | "to",
    { unreadable: words, cause }: UnreadableDirectory,
  ): UnreadablePath {
    const root = side === "from" ? this.#request.from : this.#request.to;
    const reason = `cannot read "${joinName(root, directory)}": ${words}`;
    // A permission counts as `refused` only at the sending side.
    const whose = side === "to" ? "failed" : cause === "absent" ? "vanished" : cause;
    // A recorded directory stays as it is, so no file is missing.
    const files = this.#isRecorded(directory) ? 0 : 1;
    const path = {
      path: directory,
      reason,
      cause: whose,
      type: "directory",
      files,
      sizeBytes: 0,
      side,
      words,
    } as const;
    this.unreadable.push(path);
    return path;
  }

  #isRecorded(path: string): boolean {
    const { record } = this.#request;
    const [directory, name] = splitLast(path);
    return record?.blocks().has(path) === true || record?.entriesOf(directory)?.has(name) === true;
  }

  done(files: number, sizeBytes: number): void {
    this.#done.filesDone += files;
    this.#done.bytesDone += sizeBytes;
    this.#report();
  }

  walked(): void {
    this.#walked = true;
    if (this.#counts.filesToTransfer === this.#done.filesDone) this.#phase = "finishing";
    this.#report("now");
  }

  totals(): Totals {
    return this.#counts;
  }

  /** Keeps the records of what could not be read and of what does not take part. */
  keepRecords(manifest: ManifestBuilder): void {
    const { record } = this.#request;
    const { selection } = this;
    if (record === undefined || (this.unreadable.length === 0 && selection === undefined)) return;
    for (const [directory, block] of record.blocks()) {
      const isHidden = this.unreadable.some(({ path }) =>
        directory === path || path === "" || directory.startsWith(`${path}/`)
      );
      const isExcluded = directory !== "" && selection !== undefined && !selection.deleteExcluded &&
        !takesPart(selection, directory, "directory");
      if (isHidden || isExcluded) manifest.keep(directory, block);
    }
  }

  /** Reports progress, at most ten times a second. */
  #report(when: "now" | "later" = "later"): void {
    const now = performance.now();
    if (this.#request.report === undefined || (when === "later" && now - this.#reportedAt < 100)) return;
    this.#reportedAt = now;
    const { filesToTransfer, bytesToTransfer, filesTotal } = this.#counts;
    this.#request.report({
      phase: this.#phase,
      filesSeen: filesTotal,
      ...this.#done,
      ...(this.#walked ? { filesTotal: filesToTransfer, bytesTotal: bytesToTransfer } : {}),
    });
  }
}

/** The entries of a directory to transfer, without names that follow only because another name of their file moves. */
export function toTransfer(plan: DirectoryPlan): readonly Entry[] {
  return [
    ...plan.transfers,
    ...plan.databases.flatMap(({ transfers }) => transfers),
    ...plan.successors,
    ...plan.linked.filter(({ state }) => state === "to transfer").map(({ from }) => from),
  ];
}

/** Each path once: both sides may have refused the same directory. */
export function missingPaths(missing: readonly MissingPath[]): readonly MissingPath[] {
  const paths = missing.map(({ path, reason, cause, type, files, sizeBytes }): [string, MissingPath] => [
    path,
    { path, reason, cause, type, files, sizeBytes },
  ]);
  return [...new Map(paths).values()];
}

/** The paths of a directory's files to transfer. */
export function transferredPaths(plan: DirectoryPlan): string[] {
  return toTransfer(plan).map(({ name }) => joinName(plan.directory, name));
}

/** The paths that a directory's plan removes, as `removedName` writes them. */
export function removedPaths({ directory, clears, removals, databases }: DirectoryPlan): string[] {
  const entries = [...clears, ...removals, ...databases.flatMap(({ removals }) => removals)];
  return entries.map((entry) => removedName(joinName(directory, entry.name), entry));
}
