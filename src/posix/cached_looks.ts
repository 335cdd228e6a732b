// Looks at names right after their directory was read. NFS and Lustre often send the status of each name along with the names, so
// that the client answers statx(2) from its cache within microseconds. Then a call in the plain form takes a fraction of the
// processor time of one that occupies a thread, and Lustre reads ahead only for a thread that asks in the order of the directory.

type Bytes = Uint8Array<ArrayBuffer>;

/** A call that takes longer than this was probably answered by the server. */
const SLOW_MILLISECONDS = 0.1;

/** This many calls of a directory may be slow, and an eighth of all: a busy processor delays single calls. */
const TOLERATED_SLOW = 2;

/** A directory with this many looks shows that the client has a cache. */
const ENOUGH_LOOKS = 8;

/** How many directories are listed with waiting calls alone, at most, before the cache is tried again. */
const MOST_SKIPPED = 64;

/** statx(2) in the plain form, and a clock in milliseconds. */
export interface LookRequirements {
  readonly statx: (directory: number, name: Bytes, flags: number, mask: number, status: Bytes) => number;
  readonly now: () => number;
}

/** Plain looks, as long as they are fast. Only for Workers: the main isolate handles signals also while a server is silent. */
export class CachedLooks {
  #skipped = 0;
  #left = 0;

  constructor(readonly requirements: LookRequirements) {}

  /** Begins a directory. Undefined if looks were slow in the last ones: then it is listed with waiting calls. */
  begin(): DirectoryLooks | undefined {
    if (this.#left > 0) {
      this.#left--;
      return undefined;
    }
    return new DirectoryLooks(this.requirements, (speed) => {
      this.#skipped = speed === "fast" ? 0 : Math.min(MOST_SKIPPED, Math.max(1, this.#skipped * 2));
      this.#left = this.#skipped;
    });
  }
}

/** The looks at the names of one directory. */
class DirectoryLooks {
  #slow = 0;
  #done = 0;

  constructor(readonly requirements: LookRequirements, readonly onSpeed: (speed: "fast" | "slow") => void) {}

  /** False after too many slow looks: the other names should be looked up with waiting calls. */
  get areFast(): boolean {
    return this.#slow <= TOLERATED_SLOW + this.#done / 8;
  }

  /** statx(2) in the plain form. */
  statx(directory: number, name: Bytes, flags: number, mask: number, status: Bytes): number {
    const started = this.requirements.now();
    const answer = this.requirements.statx(directory, name, flags, mask, status);
    this.#done++;
    if (this.requirements.now() - started > SLOW_MILLISECONDS) this.#slow++;
    if (!this.areFast) this.onSpeed("slow");
    else if (this.#done === ENOUGH_LOOKS) this.onSpeed("fast");
    return answer;
  }
}
