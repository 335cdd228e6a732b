// Random requests by --input-json for every command: they are refused with a message, or executed, and no content of
// the home directory is lost.
import assert from "node:assert/strict";
import { loadCatalogue } from "../../src/cli/app.ts";
import { jsonNames } from "../../src/contract/fields.ts";
import { anyText } from "../support/damage.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { Sandbox } from "./sandbox.ts";

const CONFIG = {
  version: 1,
  scratch_base: "$SCRATCH",
  lock_timeout_seconds: 2,
  vars: { HF_HOME: { source: "~/hf" }, TORCH_HOME: { source: "~/torch" } },
  apptainer: { venv_base: "~/venvs", sif_store: "~/sif", scratch_sif_dir: "$SCRATCH/sif", base_image: "python" },
};

const SET_UP = `
mkdir -p home/hf/d home/torch home/venvs/env/bin; echo a >home/hf/a; echo b >home/hf/d/b; echo c >home/torch/c
printf 'home = /usr/bin\\nversion = 3.11.2\\n' >home/venvs/env/pyvenv.cfg; echo t >home/venvs/env/bin/tool
cat >home/.euler-files.json <<'JSON'
${JSON.stringify(CONFIG)}
JSON`;

/** Words that may mean something; none leads out of the sandbox. */
const word = fc.oneof(
  fc.constantFrom(
    "HF_HOME",
    "TORCH_HOME",
    "UV_CACHE_DIR",
    "env",
    "~/new",
    "~/hf",
    "$SCRATCH",
    "scratch",
    "node",
    "both",
  ),
  fc.constantFrom(
    "source",
    "target",
    "vars.HF_HOME.source",
    "vars",
    "bash",
    "fish",
    "native",
    "rsync",
    "venv_base",
    "a",
  ),
  fc.stringMatching(/^[a-z$~{}'" é\n-]{0,12}$/),
);
const value = fc.oneof(
  { arbitrary: word, weight: 4 },
  { arbitrary: fc.boolean(), weight: 4 },
  { arbitrary: fc.array(word, { maxLength: 3 }), weight: 3 },
  { arbitrary: fc.constantFrom<unknown>(0, 1, -1, 1e300, null, {}, [[]], { version: 1 }, CONFIG), weight: 1 },
);

/** Commands that start the user's programs, or open an editor. */
const EXCLUDED = ["exec", "apptainer run", "apptainer exec", "apptainer shell", "config edit"];

const { commands } = await loadCatalogue();
const requests = commands.filter(({ name }) => !EXCLUDED.includes(name)).map(({ name, fields }) => {
  const names = Object.entries(fields).flatMap(([field, description]) => jsonNames(field, description as never));
  return fc.record({
    command: fc.constant(name),
    text: fc.oneof(
      {
        arbitrary: fc.dictionary(fc.constantFrom(...names, "no_such"), value, { maxKeys: 6 }).map((it) =>
          JSON.stringify(it)
        ),
        weight: 9,
      },
      { arbitrary: anyText, weight: 1 },
    ),
  });
});

Deno.test("law: no request makes a command fail as a defect, or loses content of the home directory", async () => {
  await using sandbox = await Sandbox.make();
  await fc.assert(
    fc.asyncProperty(fc.oneof(...requests), fc.boolean(), async ({ command, text }, isSynced) => {
      await sandbox.restore(SET_UP);
      if (isSynced) await sandbox.run(["sync"]);
      const before = await sandbox.describe();
      await sandbox.run([...command.split(" "), "--input-json", "-", "--json"], { stdin: text });
      const contents = new Set(Object.values(await sandbox.describe()).map(({ content }) => content));
      for (const [path, { kind, content }] of Object.entries(before)) {
        if (kind !== "file" || !/^home\/(hf|torch)\//.test(path)) continue;
        assert.ok(contents.has(content), `${command} ${text}: the content of ${path} is gone`);
      }
    }),
    { numRuns: runsOr(40) },
  );
});
