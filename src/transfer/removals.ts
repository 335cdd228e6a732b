// What goes from the receiving side: gathered during the walk, taken away at the end, when all that comes has arrived.
import { CliError, messageOf } from "../errors.ts";
import { forEachAtOnce } from "../pool.ts";
import { isReachable } from "../system/file_names.ts";
import { removeListed } from "../tools/remove.ts";
import { entriesOf, isStill, type Item, type Parted, pathOf, type ShardPlace } from "./attempt.ts";
import { depthOf } from "./directories.ts";
import type { Ledger } from "./ledger.ts";

/** Gathers and removes. */
export class Removals {
  readonly #items: Item[] = [];

  constructor(readonly place: ShardPlace, readonly ledger: Ledger) {}

  /** Notes something to remove later, as the walk saw it. */
  add(item: Omit<Item, "replaces">): void {
    this.#items.push({ ...item, replaces: item.entry });
  }

  /** Leaves everything where it is, and recorded: the next transfer tries again. */
  postpone(): void {
    for (const item of this.#items) this.ledger.amend(item, item.entry);
  }

  /** Removes files and links, unless somebody has written there since the walk, and directories that are empty then. */
  async carryOut(): Promise<void> {
    const files = this.#items.filter(({ entry }) => entry.type !== "directory");
    const { open, overtaken } = await this.#lookAgain(files);
    for (const item of overtaken) this.ledger.keep(item, "gone at the source, changed there");
    await forEachAtOnce(open, this.place.workplace.width, (item) => this.removeNow(item));
    // Deepest first, so that a directory is empty when its turn comes.
    const directories = this.#items.filter(({ entry }) => entry.type === "directory").toReversed()
      .toSorted((one, other) => depthOf(pathOf(other)) - depthOf(pathOf(one)));
    for (const item of directories) await this.removeNow(item);
  }

  /** The walk may be hours ago, and what was written there since is nobody's copy. */
  async #lookAgain(files: readonly Item[]): Promise<Parted> {
    if (this.place.publish === "unpublished" || files.length === 0) return { open: files, overtaken: [] };
    const there = await entriesOf(this.place.to, files, this.place);
    const isOpen = (item: Item) => {
      const now = there.get(pathOf(item));
      return now === undefined || isStill(item.replaces, now);
    };
    return { open: files.filter(isOpen), overtaken: files.filter((item) => !isOpen(item)) };
  }

  /** Removes one thing at once. Throws a CliError where it can't be, unless it is a directory that isn't empty. */
  async removeNow(item: Omit<Item, "replaces">): Promise<void> {
    const { workplace, system, to } = this.place;
    const path = pathOf(item);
    try {
      if (isReachable(path)) await Deno.remove(`${to}/${path}`);
      else await removeListed(to, await workplace.writeList([`./${path}`]), system);
      this.ledger.removed(item);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      // Somebody put something into it meanwhile, or something in it is kept.
      if (item.entry.type === "directory") return this.ledger.amend(item, item.entry);
      throw new CliError("file-system", `Cannot remove "${to}/${path}": ${messageOf(error)}`, { cause: error });
    }
  }
}
