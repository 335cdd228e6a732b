// All subjects with all faults, for the test that tries a sample and for the task that tries all.
import { type Report, type Sample, type Subject, tryFaults } from "./harness.ts";
import { DatabaseSubject } from "./databases.ts";
import { Judge } from "./judge.ts";
import { RemovalSubject } from "./removal.ts";
import { transferSubjects } from "./transfers.ts";

/**
 * Tries faults at every N-th call (N = `every`) of each subject in both forms; `report` gets each result as soon as it
 * is known.
 */
export async function tryAllFaults(every: Sample["every"], report: (report: Report) => void): Promise<void> {
  // In memory if possible: the calls are tested, not the disk.
  const memory = await Deno.stat("/dev/shm").then(() => ({ dir: "/dev/shm" }), () => ({}));
  const directory = await Deno.makeTempDir({ ...memory, prefix: "euler-files-faults-" });
  await using judge = new Judge();
  try {
    const subjects: Subject[] = [
      ...await transferSubjects(judge, directory),
      await DatabaseSubject.make("stage-update", judge, `${directory}/databases-stage-update`),
      await DatabaseSubject.make("push", judge, `${directory}/databases-push`),
      await RemovalSubject.make(judge, `${directory}/removal`),
    ];
    for (const subject of subjects) {
      for (const form of ["as measured", "waiting"] as const) report(await tryFaults(subject, { form, every }));
    }
  } finally {
    await judge.remove(directory);
  }
}
