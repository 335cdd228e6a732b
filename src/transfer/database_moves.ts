// Moves SQLite databases once all other files are under way: those that the plan knows, and those that were found when they were to
// be copied by themselves.
import type { System } from "../system/system.ts";
import type { DatabasePlan } from "./decide.ts";
import { namesOfDatabase } from "./database_files.ts";
import { entriesIn, fieldsOf } from "./entry_text.ts";
import { type Item, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import type { DatabaseResult } from "./jobs/copy_database.ts";
import type { Ledger } from "./ledger.ts";
import { noSpaceError } from "./room.ts";

/** Why a database did not arrive. */
const WRITTEN = "a program writes to this database";

/** What moving needs. */
export interface DatabaseMovesRequest {
  readonly settings: CopySettings;
  readonly runner: JobRunner;
  readonly ledger: Ledger;
  readonly system: Pick<System, "now">;
  /** Called with what is going to be written. */
  readonly announce: (items: readonly Item[]) => Promise<void>;
}

interface Move {
  readonly directory: string;
  readonly plan: DatabasePlan;
}

/** Gathers databases and moves them. */
export class DatabaseMoves {
  #moves: Move[] = [];

  constructor(readonly request: DatabaseMovesRequest) {}

  /** Databases of the plan of a directory. */
  add(directory: string, plans: readonly DatabasePlan[]): void {
    for (const plan of plans) this.#moves.push({ directory, plan });
  }

  /** Main files that were to be copied by themselves: neither side had a log beside them. */
  addFound(items: readonly Item[]): void {
    for (const { directory, entry, replaces } of items) {
      const there = replaces === undefined ? [] : [replaces];
      this.#moves.push({ directory, plan: { name: entry.name, transfers: [entry], there, removals: [] } });
    }
  }

  /** Moves all of them. Throws a CliError `no-space` where the disk is full. */
  async move(): Promise<void> {
    const moves = this.#moves;
    if (moves.length === 0) return;
    this.#moves = [];
    const { settings, runner, ledger, system, announce } = this.request;
    await announce(moves.flatMap(itemsOf));
    const items = moves.map(({ directory, plan: { name, there, removals } }) => ({
      ...{ directory, name, there: there.map(fieldsOf).join("") },
      removals: removals.map((entry) => entry.name),
    }));
    const { results, full } = await runner.run(
      "copyDatabases",
      { settings, items, nowSeconds: system.now() / 1000 },
      { names: items.length },
    );
    if (full !== undefined) throw noSpaceError(settings.to, [full]);
    for (const [index, move] of moves.entries()) noteResult(move, results[index]!, ledger);
  }
}

function itemsOf({ directory, plan: { transfers, there } }: Move): Item[] {
  return transfers.map((entry) => ({ directory, entry, replaces: there.find(({ name }) => name === entry.name) }));
}

function noteResult(move: Move, result: DatabaseResult, ledger: Ledger): void {
  const { directory, plan: { name, removals } } = move;
  const items = itemsOf(move);
  if (result.kind === "arrived") {
    const present = new Map(entriesIn(result.entries).map((entry) => [entry.name, entry]));
    for (const item of items) if (!present.has(item.entry.name)) ledger.amend(item, undefined);
    for (const entry of present.values()) ledger.amend({ directory, entry }, entry);
    for (const entry of removals) if (!present.has(entry.name)) ledger.removed({ directory, entry });
    const copied = namesOfDatabase(name).filter((member) => result.copied.includes(member));
    ledger.tally.transferred?.push(...copied.map((member) => pathOf({ directory, entry: present.get(member)! })));
    return;
  }
  for (const entry of removals) ledger.amend({ directory, entry }, ledger.recordedOf({ directory, entry }));
  for (const item of items) {
    switch (result.kind) {
      case "in use there":
      case "changed there":
        ledger.keep(item, result.kind);
        break;
      case "written":
        ledger.missed(item, { reason: WRITTEN, vanished: false, receiver: "as it was" });
        break;
      case "vanished":
        ledger.missed(item, { reason: "it vanished while it was copied", vanished: true, receiver: "as it was" });
        break;
      case "failed":
        ledger.missed(item, { reason: result.reason, vanished: false, receiver: result.receiver });
    }
  }
}
