// What the jobs of a transfer share: system calls, open trees, and how many pieces of work run at a time.
import type { Calls } from "../../posix/calls.ts";
import { AttributeSupport } from "../../posix/content.ts";
import { type LinkMap, Tree } from "../../posix/tree.ts";
import { run, runPlain, type Work } from "../../posix/work.ts";
import { Pool } from "../../system/pool.ts";
import type { Selection } from "../../filter/selection.ts";
import type { BandwidthLimit } from "../bandwidth.ts";

/** Pieces of work at a time where calls wait: one for each thread of the runtime's pool. */
const WAITING_WIDTH = 32;

/** How long plain work runs before signals, locks and progress are handled. */
const SLICE_MILLISECONDS = 20;

/** How links are mapped, by the root of the tree. */
export type LinkMaps = Readonly<Record<string, LinkMap>>;

/** Which changes the listings of a tree tell: those after a time, in seconds since 1970. */
export interface WatchedChanges {
  readonly root: string;
  readonly afterSeconds: number | undefined;
}

/** The context of a job. */
export class JobContext {
  readonly #trees = new Map<string, Tree>();
  /** Which side supports extended attributes, as far as known. */
  readonly attributes = new AttributeSupport();
  #doneFiles = 0;
  #doneBytes = 0;
  #toldAt = 0;

  /** `isStopped` is called between pieces of work; `onDone` gets finished files and bytes, at most ten times a second. */
  constructor(
    readonly calls: Calls,
    readonly links: LinkMaps,
    readonly isStopped: () => boolean,
    readonly onDone: (files: number, sizeBytes: number) => void,
  ) {}

  /** The tree with that root, for writing: no link is followed. Its handles stay open between jobs. */
  tree(root: string): Tree {
    const links = this.links[root];
    return this.#treeWith(root, links === undefined ? undefined : { own: links.own, shown: links.shown });
  }

  /** The tree with that root, for reading: links are followed where that is asked for. */
  readTree(root: string): Tree {
    const links = this.links[root];
    return links?.follow === undefined ? this.tree(root) : this.#treeWith(root, links);
  }

  #treeWith(root: string, links: LinkMap | undefined): Tree {
    const key = `${links?.follow ?? ""}:${root}`;
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const { changes } = this;
    const tree = new Tree(root, this.calls, links, changes?.root === root ? changes.afterSeconds : undefined);
    this.#trees.set(key, tree);
    return tree;
  }

  /** Counts finished files and bytes. */
  done(files: number, sizeBytes: number): void {
    this.#doneFiles += files;
    this.#doneBytes += sizeBytes;
    const now = performance.now();
    if (now - this.#toldAt < 100) return;
    this.#toldAt = now;
    this.tell();
  }

  /** Reports what was counted and not reported yet. */
  tell(): void {
    if (this.#doneFiles === 0 && this.#doneBytes === 0) return;
    this.onDone(this.#doneFiles, this.#doneBytes);
    this.#doneFiles = 0;
    this.#doneBytes = 0;
  }

  /** Throws where the transfer was stopped. */
  checkStopped(): void {
    if (this.isStopped()) throw new JobStopped();
  }

  /** Runs pieces of work: one after the other with plain calls, else several at a time. The first error ends it. */
  async runAll(works: Iterable<Work<void>>): Promise<void> {
    if (this.calls.form === "plain") return await this.#runSlices(works);
    const pool = new Pool(WAITING_WIDTH);
    try {
      for (const work of works) {
        this.checkStopped();
        await pool.start(() => run(work));
      }
    } finally {
      // A job ends only when all its calls have returned, even if it was stopped.
      await pool.settle();
    }
  }

  async #runSlices(works: Iterable<Work<void>>): Promise<void> {
    let sliceStart = performance.now();
    for (const work of works) {
      this.checkStopped();
      runPlain(work);
      if (performance.now() - sliceStart < SLICE_MILLISECONDS) continue;
      await nextTurn();
      sliceStart = performance.now();
    }
  }

  /** Which names listings return if only those that take part are wanted. */
  selection: Selection | undefined;

  /** Which changes listings tell; set before the first tree is used. */
  changes: WatchedChanges | undefined;

  /** Delays copying if there is a bandwidth limit. */
  limit: BandwidthLimit | undefined;

  /** Closes all handles. */
  close(): void {
    for (const tree of this.#trees.values()) tree.close();
    this.#trees.clear();
  }
}

/** Thrown in a job whose transfer was stopped. */
export class JobStopped extends Error {
  override readonly name = "JobStopped";
}

/** Lets other events and timers of the isolate run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
