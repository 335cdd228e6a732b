// Python environments whose files are damaged: commands that read or rewrite them change nothing outside, and in the
// files of an environment no bytes but the path that they name.
import assert from "node:assert/strict";
import { damage } from "../support/damage.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { venvTree } from "../support/image_world.ts";
import { writeTree } from "../support/tree.ts";
import { Sandbox } from "./sandbox.ts";

const FILES = [
  "pyvenv.cfg",
  "bin/activate",
  "bin/tool",
  "lib/python3.11/site-packages/tool-1.0.dist-info/RECORD",
  "lib/python3.11/site-packages/tool-1.0.dist-info/direct_url.json",
  "lib/python3.11/site-packages/tool.pth",
] as const;

const COMMANDS = [
  ["venv", "list", "--json"],
  ["apptainer", "list", "--json"],
  ["apptainer", "fixup", "--json"],
  ["apptainer", "build", "env", "--dry-run", "--json"],
  ["venv", "remove", "env", "--yes", "--json"],
  ["migrate", "venv_base", "--to", "~/moved", "--yes", "--json"],
] as const;

/** Links that lead out of the environment, under names that commands read. */
const link = fc.option(
  fc.constantFrom(
    "bin",
    "lib",
    "lib/python3.11",
    "lib/python3.11/site-packages",
    "share/jupyter/kernels",
    "bin/activate",
  ),
  { nil: undefined, freq: 3 },
);

Deno.test("law: no content of an environment makes a command fail as a defect, or change what is outside", async () => {
  await using sandbox = await Sandbox.make();
  const { root } = sandbox;
  const venv = `${root}/home/venvs/env`;
  const config = {
    version: 1,
    scratch_base: "$SCRATCH",
    vars: {},
    apptainer: { venv_base: "~/venvs", sif_store: "~/sif", scratch_sif_dir: "$SCRATCH/sif", base_image: "python" },
  };
  await fc.assert(
    fc.asyncProperty(
      ...[fc.constantFrom(...FILES), damage, link, fc.constantFrom(...COMMANDS)] as const,
      async (file, damage, link, command) => {
        await sandbox.restore("mkdir -p home/venvs/env home/outside/bin home/outside/tool-1.0.dist-info");
        await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config), { mode: 0o600 });
        // The environment was moved from another directory, so that there are paths to rewrite.
        await writeTree(venv, venvTree(`${root}/home/before/env`));
        const text = await Deno.readTextFile(`${venv}/${file}`).catch(() => `import x; ${root}/home/before/env\n`);
        const damaged = damage(text);
        await Deno.mkdir(`${venv}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
        const bytes = typeof damaged === "string" ? new TextEncoder().encode(damaged) : damaged;
        await Deno.writeFile(`${venv}/${file}`, bytes);
        for (const name of ["activate", "bin/tool", "tool-1.0.dist-info/RECORD", "kernel.json"]) {
          await Deno.writeTextFile(`${root}/home/outside/${name}`, `#!${root}/home/before/env/bin/python\n`);
        }
        if (link !== undefined) {
          await Deno.remove(`${venv}/${link}`, { recursive: true }).catch(() => {});
          await Deno.mkdir(`${venv}/${link}`.replace(/\/[^/]*$/, ""), { recursive: true });
          await Deno.symlink(`${root}/home/outside${link === "bin/activate" ? "/activate" : ""}`, `${venv}/${link}`);
        }
        const before = await sandbox.describe();
        await sandbox.run(command);
        await sandbox.assertUntouched(
          before,
          /^home\/(venvs|moved|sif)(\/|$)|^home$|^home\/\.euler-files\.json(\.lock)?$|\.lock$|^home\/\.[^/]*migrat/,
        );
        const after = Object.values(await sandbox.describe()).map(({ content }) => content);
        const [tool] = Object.entries(before).filter(([path]) => path.endsWith("/tool.py"));
        if (command[1] !== "remove" && tool !== undefined) assert.ok(after.includes(tool[1].content));
      },
    ),
    { numRuns: runsOr(40) },
  );
});
