// Compares a copy with its record alone: what a purge deleted, and what was made or changed since the last transfer. The source
// is not read: it may be slow, and its present state does not matter here.
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { joinName } from "../posix/file_names.ts";
import { pooledForEach } from "../system/pool.ts";
import type { System } from "../system/system.ts";
import { type Entry, isDamaged, sameContent } from "./entry.ts";
import { type JobRunner, prepareJobRunner } from "./job_runner.ts";
import { listDirectories, type Listing } from "./listing.ts";
import { linkMapOf, type LinkSettings } from "./link_maps.ts";
import type { Manifest } from "./manifest.ts";

/** Directories that one job lists. */
const BATCH_DIRECTORIES = 64;

const BATCHES_AT_ONCE = 8;

/** A file of the copy that the record lacks, or that differs from its record. */
export interface ChangedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
}

/** How a copy differs from its record. */
export interface RecordComparison {
  /** The recorded paths that are gone. */
  readonly purged: readonly string[];
  /** Files and links that were made or changed since; no directories. */
  readonly changed: readonly ChangedFile[];
  /** Files that are shorter than recorded and have the recorded time: most likely a crash truncated them. */
  readonly damaged: readonly string[];
  /** Recorded directories that could not be read: the state of the files in them is unknown. */
  readonly unreadable: readonly string[];
}

/**
 * What to compare. Names that the selection excludes are not `changed`. Those of them that are recorded are in `purged`: the
 * caller has to leave them out.
 */
export interface RecordedCopy {
  readonly manifest: Manifest;
  /** The copy, absolute. */
  readonly root: string;
  readonly selection?: Selection | undefined;
  /** How the transfer read links: the record has absolute links as they are at the source. */
  readonly links?: LinkSettings;
}

/** Compares a copy with its record. Looks at every name of the copy once. */
export async function compareWithRecord(copy: RecordedCopy, system: System): Promise<RecordComparison> {
  const links = await linkMapOf(copy.root, copy.links ?? {});
  await using runner = await prepareJobRunner({ roots: [copy.root], links }, system);
  runner.expect(copy.manifest.files, "list");
  const comparison = new Comparison(copy);
  for (let level = [""]; level.length > 0;) level = await comparison.walk(level, runner);
  return comparison.finish();
}

class Comparison {
  readonly #purged: string[] = [];
  readonly #changed: ChangedFile[] = [];
  readonly #damaged: string[] = [];
  readonly #unreadable: string[] = [];
  /** Directories that were read, or could not be. */
  readonly #known = new Set<string>();

  constructor(readonly copy: RecordedCopy) {}

  /** Compares these directories; returns those in them. */
  async walk(directories: readonly string[], runner: JobRunner): Promise<string[]> {
    const below: string[] = [];
    const batches = Array.from(
      { length: Math.ceil(directories.length / BATCH_DIRECTORIES) },
      (_, at) => directories.slice(at * BATCH_DIRECTORIES, (at + 1) * BATCH_DIRECTORIES),
    );
    await pooledForEach(batches, BATCHES_AT_ONCE, async (batch) => {
      const { entries } = await listDirectories({ root: this.copy.root, facts: "full" }, batch, runner);
      for (const directory of batch) below.push(...this.#compare(directory, entries.get(directory)!));
    });
    return below;
  }

  #compare(directory: string, listing: Listing): string[] {
    if ("unreadable" in listing) {
      if (listing.cause === "absent") return [];
      this.#known.add(directory);
      this.#unreadable.push(directory);
      return [];
    }
    this.#known.add(directory);
    const recorded = this.copy.manifest.entriesOf(directory) ?? new Map();
    const timeStep = this.copy.manifest.traits?.timeStep;
    const there = new Map<string, Entry>();
    for (const entry of listing.entries) {
      const path = joinName(directory, entry.name);
      if (!this.#takesPart(path, entry)) continue;
      there.set(entry.name, entry);
      const state = recorded.get(entry.name);
      if (entry.type === "directory" || (state !== undefined && sameContent(entry, state, timeStep))) continue;
      if (state !== undefined && isDamaged(entry, state)) this.#damaged.push(path);
      else this.#changed.push({ path, sizeBytes: entry.sizeBytes, mtimeSeconds: entry.mtimeSeconds });
    }
    for (const [name, state] of recorded) {
      if (state.type !== "directory" && !there.has(name)) this.#purged.push(joinName(directory, name));
    }
    return [...there.values()].filter(({ type }) => type === "directory").map(({ name }) => joinName(directory, name));
  }

  #takesPart(path: string, { type, sizeBytes }: Entry): boolean {
    return this.copy.selection?.includes(path, nameTypeOf(type, sizeBytes)) ?? true;
  }

  finish(): RecordComparison {
    const { manifest } = this.copy;
    for (const directory of manifest.directories()) {
      if (
        this.#known.has(directory) || this.#unreadable.some((path) => path === "" || directory.startsWith(`${path}/`))
      ) {
        continue;
      }
      for (const [name, state] of manifest.entriesOf(directory) ?? []) {
        if (state.type !== "directory") this.#purged.push(joinName(directory, name));
      }
    }
    return { purged: this.#purged, changed: this.#changed, damaged: this.#damaged, unreadable: this.#unreadable };
  }
}
