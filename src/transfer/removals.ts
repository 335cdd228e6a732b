// What goes from the receiving side: gathered during the walk, removed at the end, when all that comes has arrived.
import { CliError } from "../errors.ts";
import { joinName } from "../posix/file_names.ts";
import { depthOf } from "./directories.ts";
import { labelOf, stateText } from "./entry_text.ts";
import { type Item, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { RemoveResult } from "./jobs/remove.ts";
import type { Ledger } from "./ledger.ts";

type Name = Omit<Item, "replaces">;

/** Names that one job removes. */
const REMOVE_AT_ONCE = 500;

/** Gathers and removes. */
export class Removals {
  readonly #items: Name[] = [];

  constructor(
    readonly root: string,
    readonly publish: "unpublished" | "in-place",
    readonly runner: JobRunner,
    readonly ledger: Ledger,
  ) {}

  /** Notes something to remove later, as the walk saw it. */
  add(item: Name): void {
    this.#items.push(item);
  }

  /** Leaves everything as it is, and recorded: the next transfer tries again. */
  postpone(): void {
    for (const item of this.#items) this.ledger.amend(item, item.entry);
  }

  /** Removes files and links, unless they changed since the walk, and directories that are empty then. */
  async execute(): Promise<void> {
    const files = this.#items.filter(({ entry }) => entry.type !== "directory");
    for (let start = 0; start < files.length; start += REMOVE_AT_ONCE) {
      await this.#remove(files.slice(start, start + REMOVE_AT_ONCE));
    }
    const directories = this.#items.filter(({ entry }) => entry.type === "directory");
    // Deepest first, so that a directory is empty when its turn comes.
    const levels = Map.groupBy(directories, (item) => depthOf(pathOf(item)));
    for (const depth of [...levels.keys()].toSorted((one, other) => other - one)) {
      await this.#remove(levels.get(depth)!);
    }
  }

  /** Removes one name at once. Throws a CliError where it can't be, unless it is a directory that is not empty. */
  async removeNow(item: Name): Promise<void> {
    const [result] = await this.#remove([item]);
    if (typeof result === "string") return;
    throw new CliError("file-system", `Cannot remove "${joinName(this.root, pathOf(item))}": ${result?.failed}`);
  }

  async #remove(items: readonly Name[]): Promise<readonly RemoveResult[]> {
    const results = await this.runner.run("remove", {
      root: this.root,
      check: this.publish === "unpublished" ? "none" : "look again",
      items: items.map(({ directory, entry }) =>
        [directory, labelOf(entry.name, entry.linkTarget), stateText(entry)] as const
      ),
    }, { names: items.length });
    for (const [index, item] of items.entries()) this.#note(item, results[index]!);
    return results;
  }

  #note(item: Name, result: RemoveResult): void {
    switch (result) {
      case "removed":
        return this.ledger.removed(item);
      case "gone":
        return;
      case "changed":
        return this.ledger.keep(item, "gone at the source, changed there");
      case "not empty":
        // Another program put something into it, or something in it is kept.
        return this.ledger.amend(item, item.entry);
      default:
        // It stays, and recorded: the next transfer tries again.
        return this.ledger.fail(item, item.entry, `cannot be removed: ${result.failed}`);
    }
  }
}
