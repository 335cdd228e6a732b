// Removes SQLite databases that the sending side has deleted: gathered in the walk, removed after all new files are published.
import type { DatabasePlan } from "./decide.ts";
import { fieldsOf } from "./entry_text.ts";
import type { JobRunner } from "./job_runner.ts";
import type { RemoveRequest } from "./jobs/remove.ts";
import type { GoneResult } from "./jobs/remove_database.ts";
import type { ResultRecorder } from "./result_recorder.ts";
import type { StayingNames } from "./staying_names.ts";
import { GONE_MEANWHILE_REASON } from "./written_meanwhile.ts";

/** What removing needs. */
export interface DatabaseRemovalsRequest {
  readonly from: string;
  readonly to: string;
  readonly check: RemoveRequest["check"];
  readonly staying: StayingNames;
  readonly runner: JobRunner;
  readonly recorder: ResultRecorder;
}

interface Gone {
  readonly directory: string;
  readonly plan: DatabasePlan;
}

/** Gathers databases from which files are only removed, and removes those files. */
export class DatabaseRemovals {
  readonly #gone: Gone[] = [];

  constructor(readonly request: DatabaseRemovalsRequest) {}

  /**
   * Databases of the plan of a directory, none of which has anything to transfer. `next time`: they keep their records, so that
   * the next transfer removes them.
   */
  add(directory: string, plans: readonly DatabasePlan[], when: "now" | "next time"): void {
    for (const plan of plans) {
      if (when === "now") {
        this.#gone.push({ directory, plan });
        continue;
      }
      this.#keepRecords({ directory, plan });
      for (const entry of plan.removals) {
        this.request.recorder.miss({ directory, entry }, GONE_MEANWHILE_REASON, "newer");
      }
    }
  }

  /** Removes nothing and keeps the records, so that the next transfer tries again. */
  postpone(): void {
    for (const gone of this.#gone) this.#keepRecords(gone);
  }

  #keepRecords({ directory, plan }: Gone): void {
    const { recorder } = this.request;
    for (const entry of plan.removals) recorder.amend({ directory, entry }, recorder.recordedOf({ directory, entry }));
  }

  /** Keeps databases of which a file is needed by a name that stays. */
  async #spareNeeded(): Promise<void> {
    const { staying, recorder } = this.request;
    const all = this.#gone.flatMap((gone) =>
      gone.plan.removals.map((entry) => ({ directory: gone.directory, entry, gone }))
    );
    const needed = await staying.among(all, recorder.results.kept);
    const spared = new Set([...needed].map(({ gone }) => gone));
    if (spared.size === 0) return;
    const rest = this.#gone.splice(0).filter((gone) => !spared.has(gone));
    this.#gone.push(...rest);
    for (const { directory, plan } of spared) {
      for (const entry of plan.removals) recorder.keep({ directory, entry }, "needed there");
    }
  }

  /** Removes the files of each database as a unit, unless a program uses or has changed it. */
  async execute(): Promise<void> {
    await this.#spareNeeded();
    if (this.#gone.length === 0) return;
    const { from, to, check, runner } = this.request;
    const items = this.#gone.map(({ directory, plan: { name, there, removals } }) => ({
      ...{ directory, name, there: there.map(fieldsOf).join("") },
      removals: removals.map((entry) => entry.name),
    }));
    const results = await runner.run("removeDatabases", { from, to, check, items }, { names: items.length });
    for (const [index, gone] of this.#gone.entries()) this.#note(gone, results[index]!);
  }

  #note({ directory, plan }: Gone, result: GoneResult): void {
    const { recorder } = this.request;
    for (const entry of plan.removals) {
      const item = { directory, entry };
      switch (result.kind) {
        case "in use there":
          recorder.keep(item, "in use there");
          break;
        case "changed there":
          recorder.keep(item, "gone at the source, changed there");
          break;
        case "made again":
          recorder.lose({
            item: { ...item, replaces: undefined },
            reason: "it was deleted at the source and made again meanwhile",
            ...{ cause: "changing", receiver: "as it was" },
          });
          break;
        case "removed":
          if (result.names.includes(entry.name)) recorder.removed(item);
          else if (result.failure !== undefined) {
            recorder.fail(item, recorder.recordedOf(item) ?? entry, `cannot be removed: ${result.failure}`);
          }
      }
    }
  }
}
