// Makes environments with each maker and each Python of this machine, moves them in each way and runs them: `deno task
// environments [WORDS]`. With words only the cases whose line has them all.
import { prepare, tell } from "./prepare.ts";
import { prepareApptainer } from "./prepare_apptainer.ts";
import { findPythons, MAKERS, tryCombination, WAYS } from "../tests/venv/environment_matrix.ts";

const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
await prepare("test");
tell(await prepareApptainer());
let [tried, failed] = [0, 0];
for (const python of await findPythons()) {
  for (const maker of MAKERS) {
    for (const way of WAYS) {
      const name = `${maker}, ${python}, ${way}`;
      if (!Deno.args.every((word) => name.includes(word))) continue;
      const wrong = await tryCombination({ maker, python, way });
      tried++;
      if (wrong.length > 0) failed++;
      print(`${wrong.length === 0 ? "ok   " : "WRONG"} ${name}`);
      for (const line of wrong) print(`  ${line}`);
    }
  }
}
print(`${tried} environments, ${failed} of them not well`);
Deno.exit(failed === 0 ? 0 : 1);
