// The directories of a transfer: made before something is written into them, writable while being filled, and given their modes
// and times at the end, when nothing changes in them any more.
import type { DirectoryPlan } from "./decide.ts";
import { type Entry, isNewer, sameTime, type Times } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { type FinishItem } from "./jobs/directories.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import { lookAtPaths } from "./listing.ts";
import type { NewDirectories } from "./new_directories.ts";

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
  readonly #timed: TimedDirectory[] = [];
  readonly #relaxed: { readonly directory: string; readonly self: Entry; readonly mode: number }[] = [];

  /**
   * `announce` gets each directory whose mode is changed for a while, before that is done; `building` knows the new directories
   * that are built in the temporary directory.
   */
  constructor(
    readonly settings: CopySettings,
    readonly runner: JobRunner,
    readonly announce: (directory: string, self: Entry) => Promise<void>,
    readonly building: NewDirectories | undefined,
  ) {}

  /** Makes directories whose parents exist; `entries` are those of the sending side. Returns those that can't be made, and why. */
  async makeAll(directory: string, entries: readonly Entry[]): Promise<ReadonlyMap<Entry, string>> {
    const paths = entries.map((entry) => joinName(directory, entry.name));
    const making = this.#run(entries.map((entry, index) => [paths[index]!, this.#modeOf(entry)] as const), "name");
    const made = making.then(() => {});
    // The caller gets the error from `making`; without this catch, the other promises would be unhandled rejections.
    made.catch(() => {});
    for (const path of paths) this.#made.set(path, made);
    return new Map(Object.entries(await making).map(([index, reason]) => [entries[Number(index)]!, reason]));
  }

  /** Makes a directory and those above it, with the modes of the sending side. */
  async make(directory: string): Promise<void> {
    if (directory === "") return;
    let making = this.#made.get(directory);
    if (making === undefined) this.#made.set(directory, making = this.#makeWithParents(directory));
    await making;
  }

  async #makeWithParents(directory: string): Promise<void> {
    const parent = splitLast(directory)[0];
    // All directories above the topmost new one exist.
    if (this.building === undefined || this.building.topOf(parent) !== undefined) await this.make(parent);
    const self = (await lookAtPaths(this.settings.from, [directory], this.runner)).get(directory);
    await this.#run([[directory, self === undefined ? 0o700 : this.#modeOf(self)]], "throw");
  }

  /** Makes directories of one parent, at the paths where they are built. */
  async #run(
    directories: readonly (readonly [path: string, mode: number])[],
    failures: "throw" | "name",
  ): Promise<Record<number, string>> {
    if (directories.length === 0) return {};
    const { to, temporary } = this.settings;
    const built = directories.map(([path, mode]) => [this.building?.writtenAt(path) ?? "", mode] as const);
    // Either all directories of one parent are built elsewhere, or all are made at their final paths in a private tree.
    const isBuilt = built[0]![0] !== "";
    const failed = await this.runner.run("make", {
      root: isBuilt ? temporary : to,
      directories: isBuilt ? built : directories,
      failures,
    });
    for (const [index, [path]] of directories.entries()) if (failed[index] === undefined) this.building?.noteMade(path);
    return failed;
  }

  /**
   * 0700 until the end. A push makes a directory with its final mode, which is that of scratch less the umask: a directory that
   * is private on scratch may hold tokens.
   */
  #modeOf(entry: Entry): number {
    return this.settings.keep === "copy" ? 0o700 : entry.mode & 0o777 | 0o700;
  }

  /**
   * Gives a directory without write permission, such as those of Go's module cache, that permission until the end. Where
   * chmod(2) fails, its group may allow writing; if not, each name that cannot be written reports it.
   */
  async makeWritable({ directory, toSelf, finish }: DirectoryPlan): Promise<void> {
    if (toSelf === undefined) return await this.make(directory);
    if ((toSelf.mode & 0o700) === 0o700) return;
    if (finish === "as it is") await this.#relax(directory, toSelf);
    else await this.#setMode(directory, toSelf.mode | 0o700);
  }

  async #relax(directory: string, self: Entry): Promise<void> {
    await this.announce(directory, self);
    const refusal = await this.#setMode(directory, self.mode | 0o700);
    if (refusal === undefined) this.#relaxed.push({ directory, self, mode: self.mode });
  }

  /** Sets the modes of names in a directory; returns those where that failed, with the reasons. */
  async setModes(directory: string, entries: readonly Entry[]): Promise<(readonly [Entry, string])[]> {
    if (entries.length === 0) return [];
    const items = entries.map((entry) => [joinName(directory, entry.name), entry.mode] as const);
    const request = { root: this.settings.to, items, failures: "name" } as const;
    const failed = await this.runner.run("modes", request, { names: items.length });
    return Object.entries(failed).map(([index, reason]) => [entries[Number(index)]!, reason]);
  }

  /** Takes over directories that a killed transfer made writable, each with its former mode, which is restored at the end. */
  async adopt(opened: ReadonlyMap<string, number>): Promise<void> {
    for (const [directory, mode] of opened) {
      const self = await this.#selfOf(directory);
      if (self?.type === "directory" && self.mode === (mode | 0o700)) this.#relaxed.push({ directory, self, mode });
    }
  }

  /** Makes a directory writable that was not looked at yet. Returns what it was. */
  async open(directory: string): Promise<Entry | undefined> {
    const self = await this.#selfOf(directory);
    if (self !== undefined && (self.mode & 0o700) !== 0o700) await this.#relax(directory, self);
    return self;
  }

  async #selfOf(directory: string): Promise<Entry | undefined> {
    const path = directory === "" ? "." : directory;
    return (await lookAtPaths(this.settings.to, [path], this.runner)).get(path);
  }

  /** Returns why the mode cannot be changed; undefined if it was. */
  async #setMode(directory: string, mode: number): Promise<string | undefined> {
    const request = { root: this.settings.to, items: [[directory, mode]], failures: "name" } as const;
    return (await this.runner.run("modes", request))[0];
  }

  /** Names were added to finished directories: those that this transfer made get their times again at the end. */
  async finishAgain(directories: readonly string[]): Promise<void> {
    const made = directories.filter((directory) => this.#made.has(directory));
    const selves = await lookAtPaths(this.settings.from, made, this.runner);
    for (const [directory, self] of selves) this.finishLater(directory, self);
  }

  /** Notes which mode and time a directory gets at the end; a push sets them only for directories it makes. */
  finishLater(directory: string, self: Entry): void {
    this.#finish.push({ directory, self });
  }

  /** Notes the times of a directory that a push may write into, as they were before at both sides. */
  keepTime(directory: string, self: Entry | undefined, there: Entry | undefined): void {
    // The time of the root tells a sync whether another program made a name there meanwhile.
    if (this.settings.policy !== "push" || directory === "") return;
    if (self === undefined || there?.type !== "directory") return;
    this.#timed.push({ directory, self, there });
  }

  /** The same for a directory of which the plan says what is written. */
  keepTimeOf({ directory, fromSelf, toSelf, descend, ...plan }: DirectoryPlan): void {
    const names = [plan.transfers, plan.makes, plan.linked, plan.databases].flat();
    const mayBeMade = descend.some(({ to }) => to === undefined);
    if (names.length > 0 || mayBeMade) this.keepTime(directory, fromSelf, toSelf);
  }

  /**
   * Gives each directory that a push wrote into the later of its time before and that on scratch: programs such as `datasets` take
   * the newest directory, and both sides have to agree which one that is. Where that is forbidden, the time stays. Its time before
   * gets a step more: with the same time, other copies of the source would count as fresh.
   */
  async #finishTimes(): Promise<void> {
    const now = await lookAtPaths(this.settings.to, this.#timed.map(({ directory }) => directory), this.runner);
    const items = this.#timed.flatMap((timed): Finishing[] => {
      const { directory, self, there } = timed;
      const present = now.get(directory);
      if (present?.type !== "directory" || sameTime(present, there)) return [];
      const time = isNewer(self, there) ? self : justAfter(there);
      return [{ directory, self: there, time, written: undefined, mode: 0o700 }];
    });
    await this.#finishAll(items);
  }

  /** Gives directories that were made writable their former modes. Returns those for which that failed, by their paths. */
  async close(): Promise<ReadonlyMap<string, UnfinishedDirectory>> {
    const failed = new Map<string, UnfinishedDirectory>();
    const paths = this.#relaxed.map(({ directory }) => directory === "" ? "." : directory);
    const there = await lookAtPaths(this.settings.to, paths, this.runner);
    // A file may have replaced the directory: it keeps its own mode.
    for (const [index, { directory, self, mode }] of this.#relaxed.entries()) {
      if (there.get(paths[index]!)?.type !== "directory") continue;
      const reason = await this.#setMode(directory, mode);
      if (reason !== undefined) failed.set(directory, { reason, self });
    }
    return failed;
  }

  /**
   * Gives new directories their modes and times where they are built; a push sets only the times. Returns the directories for
   * which that failed, by their paths.
   */
  async finishBuilt(): Promise<ReadonlyMap<string, UnfinishedDirectory>> {
    const { building } = this;
    if (building === undefined) return new Map();
    const all = this.#finish.splice(0);
    const isBuilt = ({ directory }: { readonly directory: string }) => building.topOf(directory) !== undefined;
    this.#finish.push(...all.filter((item) => !isBuilt(item)));
    const built = all.filter(isBuilt).filter(({ directory }) => this.#made.has(directory));
    const items = built.map(({ directory, self }): Finishing => {
      const written = building.writtenAt(directory)!;
      const isTop = building.topOf(directory)!.path === directory;
      if (!isTop || (self.mode & 0o700) === 0o700) return { directory, self, written, mode: self.mode };
      // rename(2) cannot move a directory that its owner may not write: it gets its final mode after it has its name.
      if (this.settings.keep === "copy") this.#finish.push({ directory, self });
      return { directory, self, written, mode: self.mode | 0o700 };
    });
    return await this.#finishAll(items);
  }

  /** Sets modes and times. Returns the directories for which that failed, by their paths. */
  async finish(): Promise<ReadonlyMap<string, UnfinishedDirectory>> {
    const items = this.#finish.map(({ directory, self }) => ({ directory, self, written: undefined, mode: self.mode }));
    const failed = await this.#finishAll(items);
    await this.#finishTimes();
    return new Map([...failed, ...await this.close()]);
  }

  async #finishAll(items: readonly Finishing[]): Promise<ReadonlyMap<string, UnfinishedDirectory>> {
    const failed = new Map<string, UnfinishedDirectory>();
    // A directory without u=rwx makes those below it unreachable: such directories are finished last, deepest first.
    const open = items.filter(({ mode }) => (mode & 0o700) === 0o700);
    const closing = items.filter(({ mode }) => (mode & 0o700) !== 0o700)
      .toSorted((one, other) => depthOf(other.directory) - depthOf(one.directory));
    const parts = Array.from(
      { length: Math.ceil(open.length / FINISH_AT_ONCE) },
      (_, part) => open.slice(part * FINISH_AT_ONCE, (part + 1) * FINISH_AT_ONCE),
    );
    await Promise.all(parts.map((part) => this.#finishSome(part, failed)));
    // One after the other, also where calls wait.
    for (const directory of closing) await this.#finishSome([directory], failed);
    return failed;
  }

  async #finishSome(part: readonly Finishing[], failed: Map<string, UnfinishedDirectory>): Promise<void> {
    const { from, to, temporary, owners, keep, top, traits: { modes }, directoryAttributes } = this.settings;
    const attributes = directoryAttributes === undefined ? {} : { attributes: directoryAttributes };
    const items = part.map(({ directory, self, time = self, written = directory, mode }): FinishItem => {
      const { userId, groupId } = self;
      const { mtimeSeconds, mtimeNanoseconds } = time;
      const isPrivate = directory === "" && top === "private";
      return [directory, written, isPrivate ? 0o700 : mode, mtimeSeconds, mtimeNanoseconds, userId, groupId];
    });
    const root = part[0]!.written === undefined ? to : temporary;
    const answer = await this.runner.run("finish", { from, to: root, owners, keep, modes, ...attributes, items }, {
      names: items.length,
    });
    for (const [index, reason] of Object.entries(answer)) {
      const { directory, self } = part[Number(index)]!;
      failed.set(directory, { reason, self });
    }
  }
}

/** A directory that exists on both sides of a push. */
interface TimedDirectory {
  readonly directory: string;
  /** As it was on scratch. */
  readonly self: Entry;
  /** As it was at the source. */
  readonly there: Entry;
}

interface Finishing {
  readonly directory: string;
  readonly self: Entry;
  /** The time that it gets, if it is not that of `self`. */
  readonly time?: Times;
  /** The path where it is built; undefined where it has its final name. */
  readonly written: string | undefined;
  readonly mode: number;
}

/** The next time that file systems tell from this one; one that keeps whole seconds knows no fraction. */
function justAfter({ mtimeSeconds, mtimeNanoseconds }: Times): Times {
  if (mtimeNanoseconds === 0) return { mtimeSeconds: mtimeSeconds + 1, mtimeNanoseconds };
  const later = mtimeNanoseconds + 1_000_000;
  return later < 1_000_000_000
    ? { mtimeSeconds, mtimeNanoseconds: later }
    : { mtimeSeconds: mtimeSeconds + 1, mtimeNanoseconds: later - 1_000_000_000 };
}

/** How deep a directory is below the root, which is 0. */
export function depthOf(directory: string): number {
  return directory === "" ? 0 : directory.split("/").length;
}
