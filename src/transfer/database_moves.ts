// Moves SQLite databases when all other files are under way: those of the plan, and those that were recognized only when they
// were to be copied as single files.
import type { DatabasePlan } from "./decide.ts";
import { namesOfDatabase } from "./database_files.ts";
import { entriesIn, fieldsOf } from "./entry_text.ts";
import { GONE, type Item, type MissingItem, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import type { DatabaseResult } from "./jobs/copy_database.ts";
import type { ResultRecorder } from "./result_recorder.ts";
import type { Publishing } from "./publishing.ts";
import { keptOf, noSpaceError } from "./free_space.ts";

/** The reason given for a database that did not arrive because it was written all the time. */
const WRITTEN = "a program writes to this database";

/** What moving needs. */
export interface DatabaseMovesRequest {
  readonly settings: CopySettings;
  readonly runner: JobRunner;
  readonly recorder: ResultRecorder;
  /** Knows which directories are built privately; undefined where the whole tree is private. */
  readonly publishing: Publishing | undefined;
  /** When the transfer began, by the clock of the file systems, in seconds since 1970. */
  readonly startedSeconds: number;
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

  /** Adds the databases of a directory's plan. */
  add(directory: string, plans: readonly DatabasePlan[]): void {
    for (const plan of plans) this.#moves.push({ directory, plan });
  }

  /** Adds main files that were to be copied as single files: neither side had a log beside them. */
  addFound(items: readonly Item[]): void {
    for (const { directory, entry, replaces } of items) {
      const there = replaces === undefined ? [] : [replaces];
      this.#moves.push({ directory, plan: { name: entry.name, transfers: [entry], there, removals: [] } });
    }
  }

  /**
   * Moves the databases of private directories, which must be complete before they are published, or those of live directories,
   * which follow after all other files, since their rows name files. Throws a CliError `no-space` where the disk is full.
   */
  async moveInto(where: "private directories" | "live directories"): Promise<void> {
    const { settings, runner, recorder, publishing, startedSeconds, announce } = this.request;
    const builtAt = (directory: string) => publishing?.directories.writtenAt(directory);
    const isPrivate = ({ directory }: Move) => settings.temporary === "directly" || builtAt(directory) !== undefined;
    const moves = this.#moves.filter((move) => isPrivate(move) === (where === "private directories"));
    if (moves.length === 0) return;
    this.#moves = this.#moves.filter((move) => !moves.includes(move));
    await announce(moves.flatMap(itemsOf));
    const items = moves.map(({ directory, plan: { name, transfers, there, removals } }) => ({
      transfers: transfers.map((entry) => entry.name),
      ...{ directory, name, there: there.map(fieldsOf).join("") },
      ...(builtAt(directory) === undefined ? {} : { built: builtAt(directory)! }),
      removals: removals.map((entry) => entry.name),
    }));
    const { results, full } = await runner.run(
      "copyDatabases",
      { settings, items, startedSeconds },
      { names: items.length },
    );
    if (full !== undefined) throw noSpaceError(settings.to, [full], keptOf(settings));
    for (const [index, move] of moves.entries()) noteResult(move, results[index]!, { recorder, publishing });
  }
}

function itemsOf({ directory, plan: { transfers, there } }: Move): Item[] {
  return transfers.map((entry) => ({ directory, entry, replaces: there.find(({ name }) => name === entry.name) }));
}

function noteResult(
  move: Move,
  result: DatabaseResult,
  { recorder, publishing }: Pick<DatabaseMovesRequest, "recorder" | "publishing">,
): void {
  const { directory, plan: { name, removals } } = move;
  const items = itemsOf(move);
  if (result.kind === "arrived") {
    const present = new Map(entriesIn(result.entries).map((entry) => [entry.name, entry]));
    for (const item of items) if (!present.has(item.entry.name)) recorder.amend(item, undefined);
    for (const entry of present.values()) recorder.amend({ directory, entry }, entry);
    for (const entry of removals) if (!present.has(entry.name)) recorder.removed({ directory, entry });
    const copied = namesOfDatabase(name).filter((member) => result.copied.includes(member));
    const arrived = copied.map((member) => ({ directory, entry: present.get(member)!, replaces: undefined }));
    for (const item of arrived) publishing?.directories.count(item);
    recorder.collect(arrived);
    return;
  }
  for (const entry of removals) recorder.amend({ directory, entry }, recorder.recordedOf({ directory, entry }));
  for (const item of items) {
    if (result.kind === "in use there" || result.kind === "changed there") {
      recorder.keep(item, result.kind);
      continue;
    }
    const missing = missingOf(item, result);
    recorder.lose(missing);
    publishing?.fail(pathOf(item), missing);
  }
  if (result.kind !== "failed" || result.receiver === "torn") return;
  // Record the known state of the receiving side, so that the next transfer does not take it for a change by another program.
  for (const name of result.removed) recorder.amendName(directory, name, undefined);
  for (const entry of entriesIn(result.arrived)) recorder.amend({ directory, entry }, entry);
}

function missingOf(
  item: Item,
  result: Extract<DatabaseResult, { kind: "written" | "vanished" | "failed" }>,
): MissingItem {
  switch (result.kind) {
    case "written":
      return { item, reason: WRITTEN, cause: "changing", receiver: "as it was" };
    case "vanished":
      return { item, ...GONE };
    case "failed":
      return {
        item,
        reason: result.reason,
        cause: result.cause,
        receiver: result.receiver === "torn" ? "touched" : "as it was",
      };
  }
}
