// Copies files out of a packed tree; what it lacks, or cannot give intact, is copied from the tree itself.
import type { CopySettings } from "./jobs/copy_settings.ts";
import { copyItemOf, type Item, type MoveOutcome } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { joinOutcomes, type Mover, type NativeMover, sortResults } from "./movers.ts";
import { isIntact, type PackedContent, type PackedTree } from "./packed_tree.ts";
import { keptOf, noSpaceError } from "./free_space.ts";

/** Contents that are read at once, gaps between them included. */
const READ_BYTES = 8 * 1024 * 1024;

/** A longer gap between two contents is not read. */
const GAP_BYTES = 256 * 1024;

/** Where the pack mover reads and writes. */
export interface PackMoverRequest {
  readonly packed: PackedTree;
  readonly settings: CopySettings;
  /** For writing: its calls suit the receiving side. */
  readonly runner: JobRunner;
  /** For what is copied from the tree. */
  readonly direct: NativeMover;
}

interface PackedItem {
  readonly item: Item;
  readonly content: PackedContent;
}

interface Range {
  readonly items: PackedItem[];
  readonly offset: number;
  end: number;
}

/** Copies by system calls, from a packed tree. */
export class PackMover implements Mover {
  readonly kind = "native";

  constructor(readonly request: PackMoverRequest) {}

  async move(items: readonly Item[]): Promise<MoveOutcome> {
    const { packed, direct } = this.request;
    const { from, others } = packed.damage === undefined ? splitPacked(items, packed) : { from: [], others: items };
    const outcomes: MoveOutcome[] = [];
    const left: Item[] = [...others];
    for (const range of rangesOf(from)) {
      const bytes = await packed.read(range.offset, range.end - range.offset);
      if (bytes === undefined || !this.#isIntact(range, bytes)) left.push(...range.items.map(({ item }) => item));
      else outcomes.push(await this.#write(range, bytes));
    }
    if (left.length > 0) outcomes.push(await direct.move(left));
    return joinOutcomes(outcomes);
  }

  #isIntact({ items, offset }: Range, bytes: Uint8Array<ArrayBuffer>): boolean {
    const checked = new Set<number>();
    const damaged = items.find(({ item: { entry }, content }) => {
      if (entry.type !== "file" || checked.has(content.offset)) return false;
      checked.add(content.offset);
      const start = content.offset - offset;
      return !isIntact(bytes.subarray(start, start + entry.sizeBytes), content);
    });
    if (damaged !== undefined) this.request.packed.noteDamage("a checksum in it is wrong");
    return damaged === undefined;
  }

  async #write({ items, offset }: Range, bytes: Uint8Array<ArrayBuffer>): Promise<MoveOutcome> {
    const { settings, runner } = this.request;
    const request = {
      settings,
      items: items.map(({ item }) => copyItemOf(item)),
      packed: { bytes, starts: items.map(({ content }) => content.offset - offset) },
    };
    const answer = await runner.run("copy", request, { names: items.length });
    if (answer.full !== undefined) throw noSpaceError(settings.to, [answer.full], keptOf(settings));
    return sortResults(items.map(({ item }) => item), answer.results);
  }
}

/** Links need no content. All names of a file go the same way, or they would arrive as several files. */
function splitPacked(
  items: readonly Item[],
  packed: PackedTree,
): { readonly from: readonly PackedItem[]; readonly others: readonly Item[] } {
  const from: PackedItem[] = [];
  const others: Item[] = [];
  let last: PackedContent = { offset: 0, checksum: 0 };
  for (const item of items) {
    const { directory, entry } = item;
    const content = entry.type === "link" ? { ...last, checksum: 0 } : packed.contentOf(directory, entry.name);
    if (content === undefined || entry.type === "special") others.push(item);
    else from.push({ item, content: last = content });
  }
  return { from, others };
}

function rangesOf(items: readonly PackedItem[]): Range[] {
  const ranges: Range[] = [];
  for (const packed of items.toSorted((one, other) => one.content.offset - other.content.offset)) {
    const { content: { offset }, item: { entry } } = packed;
    const end = offset + (entry.type === "file" ? entry.sizeBytes : 0);
    const range = ranges.at(-1);
    if (range !== undefined && offset - range.end <= GAP_BYTES && end - range.offset <= READ_BYTES) {
      range.items.push(packed);
      range.end = Math.max(range.end, end);
    } else ranges.push({ items: [packed], offset, end });
  }
  return ranges;
}
