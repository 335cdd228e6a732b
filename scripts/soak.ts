// Runs 200 processes at once on one variable, some of them killed, with flock, without it, and with flock granted twice, for some
// minutes: `deno task soak [MINUTES]`. Prints what was done, and what differs from running the processes in sequence.
import { LOCK_MODES } from "../tests/soak/nodes.ts";
import { soak } from "../tests/soak/soak.ts";
import { prepare } from "./prepare.ts";

const PROCESSES = 200;

const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
await prepare("test");
const end = performance.now() + Number(Deno.args[0] ?? 10) * 60_000;
let wrong = 0;
for (let round = 1; round === 1 || performance.now() < end; round++) {
  for (const mode of LOCK_MODES) {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const report = await soak({
      mode,
      seed,
      processes: PROCESSES,
      atOnce: 8,
      killMilliseconds: 600,
      suspendedShare: 0.05,
    });
    const started = Object.entries(report.started).map(([name, count]) => `${count} ${name}`).join(", ");
    const { killed, suspended, edits, looks } = report;
    print(
      `${mode}, round ${round}, seed ${seed}: ${started}; ${killed} killed, ${suspended} suspended, ${edits} edits, ${looks} looks, ` +
        `${report.wrong.length} wrong`,
    );
    for (const line of report.wrong) print(`  ${line}`);
    wrong += report.wrong.length;
  }
}
Deno.exit(wrong === 0 ? 0 : 1);
