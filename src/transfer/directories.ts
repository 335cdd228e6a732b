// The directories of a transfer: made before anything goes into them, writable while they are filled, and given their modes and
// times at the end, when nothing changes in them any more.
import type { DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { type FinishItem } from "./jobs/directories.ts";
import { splitLast } from "../posix/file_names.ts";
import { joinName } from "../posix/file_names.ts";
import { lookAtPaths } from "./listing.ts";

/** Directories that one job finishes. */
const FINISH_AT_ONCE = 200;

/** A directory that could not be given its mode and time, and what it should have become. */
export interface UnfinishedDirectory {
  readonly reason: string;
  readonly self: Entry;
}

/** Makes directories and finishes them. */
export class Directories {
  readonly #made = new Map<string, Promise<void>>();
  readonly #finish: { readonly directory: string; readonly self: Entry }[] = [];
  readonly #relaxed: { readonly directory: string; readonly mode: number }[] = [];

  /** `announce` gets each directory whose mode is changed for a while, before that is done. */
  constructor(
    readonly settings: CopySettings,
    readonly runner: JobRunner,
    readonly announce: (directory: string, self: Entry) => Promise<void>,
  ) {}

  /** Makes directories whose parents exist; `entries` are those of the source. Returns those that can't be made, and why. */
  async makeAll(directory: string, entries: readonly Entry[]): Promise<ReadonlyMap<Entry, string>> {
    const paths = entries.map((entry) => joinName(directory, entry.name));
    const making = this.runner.run("make", {
      root: this.settings.to,
      directories: entries.map((entry, index) => [paths[index]!, this.#modeOf(entry)] as const),
      failures: "name",
    });
    const made = making.then(() => {});
    // The caller gets the error from `making`; without this, nothing would wait for the other promise.
    made.catch(() => {});
    for (const path of paths) this.#made.set(path, made);
    return new Map(Object.entries(await making).map(([index, reason]) => [entries[Number(index)]!, reason]));
  }

  /** Makes a directory and those above it, with the modes of the source. */
  async make(directory: string): Promise<void> {
    if (directory === "") return;
    let making = this.#made.get(directory);
    if (making === undefined) this.#made.set(directory, making = this.#makeWithParents(directory));
    await making;
  }

  async #makeWithParents(directory: string): Promise<void> {
    await this.make(splitLast(directory)[0]);
    const self = (await lookAtPaths(this.settings.from, [directory], this.runner)).get(directory);
    await this.#make([[directory, self === undefined ? 0o700 : this.#modeOf(self)]]);
  }

  async #make(directories: readonly (readonly [path: string, mode: number])[]): Promise<void> {
    if (directories.length === 0) return;
    await this.runner.run("make", { root: this.settings.to, directories }, { names: 0 });
  }

  /**
   * Private until the end; where a push makes one, for good what the umask leaves of its mode: a directory that is private on
   * scratch may hold tokens.
   */
  #modeOf(entry: Entry): number {
    return this.settings.keep === "copy" ? 0o700 : entry.mode & 0o777 | 0o700;
  }

  /** A directory without write permission, as Go's module cache has them, gets it until the end. */
  async makeWritable({ directory, toSelf, finish }: DirectoryPlan): Promise<void> {
    if (toSelf === undefined) return await this.make(directory);
    if ((toSelf.mode & 0o700) === 0o700) return;
    if (finish === "as it is") await this.#relax(directory, toSelf);
    else await this.#setMode(directory, toSelf.mode | 0o700);
  }

  async #relax(directory: string, self: Entry): Promise<void> {
    await this.announce(directory, self);
    this.#relaxed.push({ directory, mode: self.mode });
    await this.#setMode(directory, self.mode | 0o700);
  }

  /** Takes over directories that a killed transfer opened, each with the mode it had: they get it back at the end. */
  async adopt(opened: ReadonlyMap<string, number>): Promise<void> {
    for (const [directory, mode] of opened) {
      const self = await this.#selfOf(directory);
      if (self?.type === "directory" && self.mode === (mode | 0o700)) this.#relaxed.push({ directory, mode });
    }
  }

  /** The same for a directory that nothing looked at yet. */
  async open(directory: string): Promise<void> {
    const self = await this.#selfOf(directory);
    if (self === undefined || (self.mode & 0o700) === 0o700) return;
    await this.#relax(directory, self);
  }

  async #selfOf(directory: string): Promise<Entry | undefined> {
    const path = directory === "" ? "." : directory;
    return (await lookAtPaths(this.settings.to, [path], this.runner)).get(path);
  }

  async #setMode(directory: string, mode: number): Promise<void> {
    await this.runner.run("modes", { root: this.settings.to, items: [[directory, mode]] });
  }

  /** Notes what a directory has to be at the end. */
  finishLater(directory: string, self: Entry): void {
    this.#finish.push({ directory, self });
  }

  /** Gives directories that were opened for a while the modes they had. */
  async close(): Promise<void> {
    for (const { directory, mode } of this.#relaxed) await this.#setMode(directory, mode);
  }

  /** Sets modes and times. Returns the directories for which that failed, by their paths. */
  async finish(): Promise<ReadonlyMap<string, UnfinishedDirectory>> {
    const failed = new Map<string, UnfinishedDirectory>();
    if (this.settings.keep === "copy") {
      // A directory that its owner may not enter or write closes the way to those below: such ones come last, deepest first.
      const open = this.#finish.filter(({ self }) => (self.mode & 0o700) === 0o700);
      const closing = this.#finish.filter(({ self }) => (self.mode & 0o700) !== 0o700)
        .toSorted((one, other) => depthOf(other.directory) - depthOf(one.directory));
      const parts = Array.from(
        { length: Math.ceil(open.length / FINISH_AT_ONCE) },
        (_, part) => open.slice(part * FINISH_AT_ONCE, (part + 1) * FINISH_AT_ONCE),
      );
      await Promise.all(parts.map((part) => this.#finishSome(part, failed)));
      // One after the other, whatever the form of the calls.
      for (const directory of closing) await this.#finishSome([directory], failed);
    }
    await this.close();
    return failed;
  }

  async #finishSome(
    part: readonly { readonly directory: string; readonly self: Entry }[],
    failed: Map<string, UnfinishedDirectory>,
  ): Promise<void> {
    const { from, to, owners, traits } = this.settings;
    const items = part.map(({ directory, self }): FinishItem => {
      const { mode, mtimeSeconds, mtimeNanoseconds, userId, groupId } = self;
      return [directory, mode, mtimeSeconds, mtimeNanoseconds, userId, groupId];
    });
    const answer = await this.runner.run("finish", { from, to, owners, modes: traits.modes, items }, {
      names: items.length,
    });
    for (const [index, reason] of Object.entries(answer)) {
      const { directory, self } = part[Number(index)]!;
      failed.set(directory, { reason, self });
    }
  }
}

/** How deep a directory is below the root, which is 0. */
export function depthOf(directory: string): number {
  return directory === "" ? 0 : directory.split("/").length;
}
