// Tries a fault at each call of each transfer and of a removal, and prints how many were tried: `deno task faults [EVERY]`.
// With EVERY only at every so-manieth call.
import { tryAllFaults } from "../tests/faults/all_faults.ts";

const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
let [runs, wrong] = [0, 0];
await tryAllFaults(Number(Deno.args[0] ?? 1), (report) => {
  print(`${report.name}: ${report.calls} calls, ${report.runs} faults tried, ${report.wrong.length} wrong`);
  for (const line of report.wrong) print(`  ${line}`);
  runs += report.runs;
  wrong += report.wrong.length;
});
print(`${runs} faults tried, ${wrong} wrong`);
Deno.exit(wrong === 0 ? 0 : 1);
