// Lets real clients read caches while they are synced, pushed and purged: `deno task clients [MINUTES]`. Prints what they saw.
import { MISSING_CLIENTS, readBesideTransfers } from "../tests/clients/loop.ts";
import { prepare, tell } from "./prepare.ts";
import { prepareApptainer } from "./prepare_apptainer.ts";
import { prepareClients } from "./prepare_clients.ts";

const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
await prepare("test");
tell(await prepareApptainer());
tell(await prepareClients());
tell(await prepareClients("large"));
for (const reason of MISSING_CLIENTS) print(`left out: ${reason}`);
const { readers, syncs, pushes, failures } = await readBesideTransfers(Number(Deno.args[0] ?? 10));
let wrong = failures.length;
print(`${syncs} syncs and ${pushes} pushes, ${failures.length} of them not well`);
for (const failure of failures) print(`  ${failure}`);
for (const [name, { looks, revisions, lacks }] of Object.entries(readers)) {
  const count = Object.values(lacks).reduce((sum, times) => sum + times, 0);
  print(`${name}: ${looks} looks, ${revisions} revisions, ${count} wrong answers`);
  for (const [lack, times] of Object.entries(lacks)) print(`  ${times} times: ${lack}`);
  wrong += count;
}
Deno.exit(wrong === 0 ? 0 : 1);
