// The directories of a transfer: made before anything goes into them, writable while they are filled, and given their modes and
// times at the end, when nothing changes in them any more.
import type { System } from "../system/system.ts";
import { isReachable } from "../system/file_names.ts";
import { forEachAtOnce } from "../pool.ts";
import { runRsync } from "../tools/rsync.ts";
import { runTarPipe } from "../tools/tar_pipe.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { RsyncOptions } from "./attempt.ts";
import type { Workplace } from "./workplace.ts";

/** How directories are written. */
export interface DirectoryWriting {
  /** Who sets modes and times at the end; stage-out sets none. */
  readonly finish: "tar" | RsyncOptions | "none";
  /** Modes of directories that are made: private until the end, or for good what the umask leaves of those they come from. */
  readonly mode: "private" | "umask";
}

/** The roots and what there is to work with. */
export interface DirectoryPlace {
  readonly from: string;
  readonly to: string;
  readonly workplace: Workplace;
  readonly system: System;
}

/** Directories for one process at the end, at least: where operations wait it is worth its start sooner. */
const LEAST_SHARE = { waits: 12, local: 1000 };

/** Makes directories and finishes them. */
export class Directories {
  readonly #made = new Map<string, Promise<void>>();
  readonly #finish: { readonly directory: string; readonly self: Entry }[] = [];
  readonly #relaxed: { readonly directory: string; readonly mode: number }[] = [];

  constructor(readonly place: DirectoryPlace, readonly writing: DirectoryWriting) {}

  /** Makes a directory and those above it. */
  async make(directory: string): Promise<void> {
    const making = this.#made.get(directory) ?? this.#make(directory);
    this.#made.set(directory, making);
    await making;
  }

  async #make(directory: string): Promise<void> {
    if (!isReachable(directory)) {
      const listFile = await this.place.workplace.writeList([`./${directory}`]);
      await runTarPipe(
        {
          ...this.#pipe(),
          listFile,
          sparse: "none",
          owners: "own",
          modes: this.writing.mode === "umask" ? "umask" : "same",
        },
        this.place.system,
      );
      return;
    }
    if (this.writing.mode === "private") {
      await Deno.mkdir(this.#target(directory), { recursive: true, mode: 0o700 });
      return;
    }
    // One that is private on scratch may hold tokens; those above it are made each with its own mode.
    if (directory.includes("/")) await this.make(directory.slice(0, directory.lastIndexOf("/")));
    const mode = await Deno.lstat(`${this.place.from}/${directory}`).then((info) => info.mode, (error) => {
      // A purge was quicker; what is in it will be told.
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    });
    await Deno.mkdir(this.#target(directory), { recursive: true, mode: (mode ?? 0o777) & 0o777 | 0o700 });
  }

  /** One without write permission, as Go's module cache has them, gets it until the end. */
  async makeWritable({ directory, toSelf, finish }: DirectoryPlan): Promise<void> {
    if (toSelf === undefined) {
      await this.make(directory);
    } else if ((toSelf.mode & 0o700) !== 0o700 && isReachable(directory)) {
      await Deno.chmod(this.#target(directory), toSelf.mode | 0o700);
      if (finish === "as it is") this.#relaxed.push({ directory, mode: toSelf.mode });
    }
  }

  /** The same for one that nobody looked at yet. */
  async open(directory: string): Promise<void> {
    if (!isReachable(directory)) return;
    const mode = ((await Deno.lstat(this.#target(directory))).mode ?? 0o700) & 0o7777;
    if ((mode & 0o700) === 0o700) return;
    await Deno.chmod(this.#target(directory), mode | 0o700);
    this.#relaxed.push({ directory, mode });
  }

  /** Notes what a directory has to be at the end. */
  finishLater(directory: string, self: Entry): void {
    this.#finish.push({ directory, self });
  }

  /** Sets modes and times. */
  async finish(): Promise<void> {
    const { workplace } = this.place;
    const { finish } = this.writing;
    if (finish !== "none" && this.#finish.length > 0) {
      // One that its owner may not enter or write closes the way to those below: such ones come last, deepest first.
      const closing = this.#finish.filter(({ self }) => (self.mode & 0o700) !== 0o700);
      const open = this.#finish.filter(({ self }) => (self.mode & 0o700) === 0o700);
      const share = Math.max(LEAST_SHARE[workplace.latency], Math.ceil(open.length / workplace.width));
      const shares = Array.from(
        { length: Math.ceil(open.length / share) },
        (_, at) => open.slice(at * share, at * share + share),
      );
      await forEachAtOnce(shares, workplace.width, (part) => this.#finishSome(part, finish));
      if (closing.length > 0) await this.#finishSome(closing, finish);
    }
    for (const { directory, mode } of this.#relaxed) {
      await Deno.chmod(this.#target(directory), mode).catch((error) => {
        // It was opened for its own removal.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  async #finishSome(
    part: readonly { readonly directory: string; readonly self: Entry }[],
    how: "tar" | RsyncOptions,
  ): Promise<void> {
    const { from, to, workplace, system } = this.place;
    const root = part.filter(({ directory }) => directory === "");
    if (how !== "tar" && root.length > 0 && part.length > 1) {
      await this.#finishSome(part.filter(({ directory }) => directory !== ""), how);
      return await this.#finishSome(root, how);
    }
    const deepestFirst = part.map(({ directory }) => directory).toSorted((one, other) => depthOf(other) - depthOf(one));
    const names = deepestFirst.map((directory) => directory === "" ? "." : `./${directory}`);
    const listFile = await workplace.writeList(names);
    const owners = workplace.ownersOf(part.map(({ self }) => self));
    if (how === "tar") await runTarPipe({ ...this.#pipe(), listFile, sparse: "none", owners, modes: "same" }, system);
    else {
      // rsync takes a listed "." for what is in it as well (rsync(1), --dirs), even where that shall be left alone.
      const extraArgs = [...(root.length > 0 ? [] : ["--include=*/"]), "--exclude=*", ...how.extraArgs];
      await runRsync(
        { ...how, from, to, extraArgs, listFile, sparse: "none" },
        await workplace.rsync(),
        () => {},
        system,
      );
    }
    await Deno.remove(listFile);
  }

  #pipe(): { program: string; from: string; to: string } {
    return { program: this.place.workplace.tar!, from: this.place.from, to: this.place.to };
  }

  #target(path: string): string {
    return path === "" ? this.place.to : `${this.place.to}/${path}`;
  }
}

/** How deep a directory is below the root, which is 0. */
export function depthOf(directory: string): number {
  return directory === "" ? 0 : directory.split("/").length;
}
