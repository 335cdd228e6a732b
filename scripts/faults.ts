// Tries a fault at each call of each transfer and of a removal, then kills and errors at each system call of each command that
// writes, and prints how many were tried: `deno task faults [EVERY] [NAME]`. With EVERY only at every EVERYth call, with NAME
// only the commands whose name contains it.
import { tryAllCommands } from "../tests/faults/all_commands.ts";
import { tryAllFaults } from "../tests/faults/all_faults.ts";
import type { Report } from "../tests/faults/harness.ts";
import { whyNotSupervised } from "../tests/faults/supervise.ts";

const [every = "1", name] = Deno.args;
const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
let [runs, wrong] = [0, 0];
const show = (report: Report) => {
  print(`${report.name}: ${report.calls} calls, ${report.runs} faults tried, ${report.wrong.length} wrong`);
  for (const line of report.wrong) print(`  ${line}`);
  runs += report.runs;
  wrong += report.wrong.length;
};
if (name === undefined) await tryAllFaults(Number(every), show);
const reason = await whyNotSupervised();
if (reason !== undefined) print(`no process is killed: ${reason}`);
else {
  const filter = new RegExp(name === undefined ? "" : name.replaceAll(/[^\w ]/g, "\\$&"));
  const share = 1 / Number(every);
  await tryAllCommands({ filter, share, watch: "changes", acts: ["kill", "torn", "kill-one"] }, show);
  await tryAllCommands({ filter, share, watch: "changes,reads,closes", acts: ["EIO", "ENOSPC", "ESTALE"] }, show);
}
print(`${runs} faults tried, ${wrong} wrong`);
Deno.exit(wrong === 0 ? 0 : 1);
