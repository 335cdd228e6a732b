// A process that edits a configuration, for tests with many of them at once: `deno run edit_config.ts PATH NAME
// [TIMES]`. Adds the field NAME, then counts it up, with a line on stdout after each time.
import { editConfig } from "../../src/config/config_edit.ts";
import type { AbsolutePath } from "../../src/config/paths.ts";
import { testSystem } from "./test_system.ts";

const [path = "", name = "", times = "1"] = Deno.args;
for (let count = 1; count <= Number(times); count++) {
  await editConfig(path as AbsolutePath, [{ path: ["own", name], value: count }], testSystem());
  await Deno.stdout.write(new TextEncoder().encode(`${count}\n`));
}
