// The questions of `init` on a real terminal: what is shown, what the keys do, and what is saved.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { makeWorld, type World } from "../support/world.ts";

/** The last line of the summary's menu: when it is shown, keys are accepted. */
const MENU = "Leave without saving";
const INIT = "euler-files init";

async function worldWithCaches(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/.cache", {
    "huggingface/hub/model.bin": "x".repeat(3_000_000),
    "torch/hub/a.pt": "1",
    "pip/http/b": "2",
  });
  return world;
}

async function saved(world: World): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`));
}

testNeeding(["tmux"], "init asks on the terminal, saves, and writes nothing to stdout", async () => {
  await using world = await worldWithCaches();
  await using terminal = await openTerminal(world, `${INIT} >out`);
  const scratch = await terminal.shows("Another directory");
  assert.ok(scratch.includes(`$SCRATCH, now ${world.scratch}`), scratch);
  await terminal.press("Enter");
  const offer = await terminal.shows("Another variable");
  assert.match(offer, /◼ HF_HOME {2}2\.9 MB, 1 file.*\n(.*\n)?.*◼ TORCH_HOME {2}1 B, 1 file/);
  assert.match(offer, /PIP_CACHE_DIR {2}1 B, 1 file[^]*KERAS_HOME\n/);
  await terminal.press("Enter");
  await terminal.shows("In which directory is the data of HF_HOME kept?");
  await terminal.press("Enter");
  await terminal.shows("In which directory is the data of TORCH_HOME kept?");
  await terminal.press("Enter");
  const summary = await terminal.shows(MENU);
  assert.ok(summary.includes(`HF_HOME     ${world.home}/.cache/huggingface, 2.9 MB, 1 file`), summary);
  await assert.rejects(saved(world), Deno.errors.NotFound);
  await terminal.press("Enter");
  await terminal.shows("ended with 0");
  assert.deepEqual(await saved(world), {
    version: 1,
    scratch_base: "$SCRATCH",
    cache_root: ".cache/euler-files",
    vars: {
      HF_HOME: { source: `${world.home}/.cache/huggingface`, enabled: true },
      TORCH_HOME: { source: `${world.home}/.cache/torch`, enabled: true },
    },
    rsync_extra_args: [],
    parallel_jobs: 4,
    lock_timeout_seconds: 300,
    skip_if_fresh_seconds: 3600,
  });
  assert.equal(await Deno.readTextFile(`${world.home}/out`), "");
});

testNeeding(
  ["tmux"],
  "init lets the user go back, change a source and settings, and refuses what would not work",
  async () => {
    await using world = await worldWithCaches();
    await using terminal = await openTerminal(world, INIT);
    await terminal.shows("Another directory");
    await terminal.press("Enter");
    await terminal.shows("Another variable");
    await terminal.press("Down", "Space", "Enter");
    await terminal.shows("data of HF_HOME kept?");
    await terminal.press("C-u", "relative", "Enter");
    await terminal.shows("it is not an absolute path");
    await terminal.press("C-u", "$SCRATCH/hf", "Enter");
    await terminal.shows("lies on scratch, which is purged");
    await terminal.shows("◆  In which directory");
    await terminal.press("C-u", "~/.cache/huggingface", "Enter");
    await terminal.shows(MENU);

    await terminal.press("Down", "Enter");
    await terminal.shows("◆  Which variables should be managed?");
    await terminal.press("Up", "Space", "Enter");
    await terminal.shows("◆  What is the variable's name?");
    await terminal.press("LD_PRELOAD", "Enter");
    await terminal.shows("it cannot be managed: the program loader goes by it");
    await terminal.press("C-u", "MY_CACHE", "Enter");
    await terminal.shows("data of MY_CACHE kept?");
    await terminal.press("~/.cache", "Enter");
    await terminal.shows("◆  Another variable?");
    await terminal.press("Enter");
    await terminal.shows("MY_CACHE contains HF_HOME");
    await terminal.shows(MENU);

    await terminal.press("Up", "Up", "Enter");
    await terminal.shows("sync side by side?");
    await terminal.press("C-u", "0", "Enter");
    await terminal.shows("a whole number of 1 or more");
    await terminal.press("C-u", "2", "Enter");
    await terminal.shows("wait for another job");
    await terminal.press("Enter");
    await terminal.shows("good for while the source");
    await terminal.press("C-u", "60", "Enter");
    await terminal.shows("2 variables at a time, waiting 300 s for another job, fresh for 60 s");
    await terminal.shows(MENU);
    await terminal.press("Enter");
    await terminal.shows("ended with 0");
    const { vars, parallel_jobs, skip_if_fresh_seconds } = await saved(world);
    assert.deepEqual([parallel_jobs, skip_if_fresh_seconds], [2, 60]);
    assert.deepEqual(vars, {
      HF_HOME: { source: "~/.cache/huggingface", enabled: true },
      MY_CACHE: { source: "~/.cache", enabled: true },
    });
  },
);

testNeeding(["tmux"], "Ctrl-C and leaving without saving change nothing, and the exit code says so", async () => {
  await using world = await worldWithCaches();
  const text = '{ "version": 1, "scratch_base": "$SCRATCH", "vars": {} } // mine\n';
  await world.writeConfig(text);
  for (const [keys, code] of [[["C-c"], 130], [["Up", "Enter"], 1]] as const) {
    await using terminal = await openTerminal(world, INIT);
    await terminal.shows("Another directory");
    await terminal.press("Enter");
    await terminal.shows("Another variable");
    if (code === 1) {
      await terminal.press("Enter");
      await terminal.shows("data of HF_HOME kept?");
      await terminal.press("Enter");
      await terminal.shows("data of TORCH_HOME kept?");
      await terminal.press("Enter");
      await terminal.shows(MENU);
    }
    await terminal.press(...keys);
    assert.match(await terminal.shows(`ended with ${code}`), /error: .*nothing was saved\nhint: /i);
    assert.equal(await Deno.readTextFile(`${world.home}/.euler-files.json`), text);
  }
});

testNeeding(["tmux"], "init starts from the existing configuration and loses no part of it", async () => {
  await using world = await worldWithCaches();
  await world.writeConfig(`{
  // by hand
  "version": 1,
  "scratch_base": "$SCRATCH",
  "vars": {
    "HF_HOME": { "source": "~/.cache/huggingface", "note": "mine" },
    "MY_DATA": { "source": "/data/mine" } // kept
  },
  "rsync_extra_args": ["--bwlimit=5"],
  "apptainer": { "venv_base": "/v" }
}
`);
  await using terminal = await openTerminal(world, INIT);
  await terminal.shows("Starting from");
  await terminal.shows("Another directory");
  await terminal.press("Enter");
  const offer = await terminal.shows("Another variable");
  assert.match(offer, /◼ HF_HOME[^]*◼ MY_DATA[^]*◻ TORCH_HOME/);
  await terminal.press("Down", "Space", "Enter");
  const summary = await terminal.shows(MENU);
  assert.match(summary, /Disabled: MY_DATA/);
  await terminal.press("Enter");
  await terminal.shows("ended with 0");
  assert.equal(
    await Deno.readTextFile(`${world.home}/.euler-files.json`),
    `{
  // by hand
  "version": 1,
  "scratch_base": "$SCRATCH",
  "vars": {
    "HF_HOME": { "source": "~/.cache/huggingface", "note": "mine" },
    "MY_DATA": { "source": "/data/mine", "enabled": false } // kept
  },
  "rsync_extra_args": ["--bwlimit=5"],
  "apptainer": { "venv_base": "/v" }
}
`,
  );
});

testNeeding(
  ["tmux"],
  "init never proposes a source on scratch, even in a shell that has evaluated a sync",
  async () => {
    await using world = await worldWithCaches();
    await world.writeTree("scratch/.cache/euler-files", { "HF_HOME/x": "1", "XDG_CACHE_HOME/torch/x": "1" });
    await world.writeTree("scratch/pip", { x: "1" });
    await Deno.remove(`${world.home}/.cache/pip`, { recursive: true });
    await Deno.symlink(`${world.scratch}/pip`, `${world.home}/.cache/pip`);
    const root = `${world.scratch}/.cache/euler-files`;
    const env = { HF_HOME: `${root}/HF_HOME`, XDG_CACHE_HOME: `${root}/XDG_CACHE_HOME` };
    await using terminal = await openTerminal(world, INIT, { env });
    await terminal.shows("Another directory");
    await terminal.press("Enter");
    const offer = await terminal.shows("Another variable");
    assert.match(offer, /HF_HOME {2}2\.9 MB/);
    assert.match(offer, /PIP_CACHE_DIR\n/);
    await terminal.press("Enter");
    assert.ok((await terminal.shows("data of HF_HOME kept?")).includes(`${world.home}/.cache/huggingface`));
    await terminal.press("Enter");
    assert.ok((await terminal.shows("data of TORCH_HOME kept?")).includes(`${world.home}/.cache/torch`));
  },
);

testNeeding(["tmux"], "init works in a small window and without SCRATCH", async () => {
  await using world = await worldWithCaches();
  await using terminal = await openTerminal(world, INIT, { columns: 40, rows: 15, env: { SCRATCH: null } });
  await terminal.shows("◆  SCRATCH is not set");
  await terminal.press("Enter");
  await terminal.shows("a directory is needed");
  await terminal.press("$NOPE/x", "Enter");
  await terminal.shows("the variable NOPE is not set");
  await terminal.press("C-u", "/no/such/scratch", "Enter");
  await terminal.shows("Use it all the same?");
  await terminal.press("Enter");
  await terminal.shows("◆  SCRATCH is not set");
  await terminal.press(world.scratch, "Enter");
  await terminal.shows("HF_HOME");
  await terminal.press("Enter");
  await terminal.shows("◆  In which directory is the data of HF_HOME");
  await terminal.press("Enter");
  await terminal.shows("◆  In which directory is the data of TORCH_HOME");
  await terminal.press("Enter");
  await terminal.shows(MENU);
  await terminal.press("Enter");
  await terminal.shows("ended with 0");
  assert.equal((await saved(world)).scratch_base, world.scratch);
});

testNeeding(
  ["tmux"],
  "the configuration that the wizard proposes makes a sync that works, even without ~/.cache",
  async () => {
    await using world = await makeWorld();
    await using terminal = await openTerminal(world, INIT);
    await terminal.shows("Another directory");
    await terminal.press("Enter");
    await terminal.shows("Another variable");
    await terminal.press("Space", "Enter");
    await terminal.shows("kept?");
    await terminal.press("Enter");
    await terminal.shows("does not exist yet. Use it all the same?");
    await terminal.press("Enter");
    await terminal.shows(`${world.home}/.cache does not exist either. Make it now?`);
    await terminal.press("Enter");
    await terminal.shows(MENU);
    await terminal.press("Enter");
    await terminal.shows("ended with 0");
    const sync = await world.run(["sync"]);
    assert.equal(sync.code, 0, sync.stderr);
    assert.match(sync.stdout, /^export \w+=/m);
  },
);

testNeeding(["tmux"], "init proposes to redirect a cache that is not worth copying", async () => {
  await using world = await worldWithCaches();
  await using terminal = await openTerminal(world, INIT);
  await terminal.shows("Another directory");
  await terminal.press("Enter");
  assert.match(await terminal.shows("Another variable"), /PIP_CACHE_DIR/);
  await terminal.press("Space", "Down", "Space", "Down", "Down", "Space", "Enter");
  await terminal.shows("PIP_CACHE_DIR holds downloads and wheels. What should it name?");
  await terminal.press("Enter");
  assert.match(await terminal.shows(MENU), /PIP_CACHE_DIR {2}an empty directory on scratch/);
  await terminal.press("Enter");
  await terminal.shows("ended with 0");
  assert.deepEqual((await saved(world)).vars, { PIP_CACHE_DIR: { mode: "redirect", enabled: true } });
});

testNeeding(["tmux"], "a terminal that reports no size gets lines that still break between words", async () => {
  await using world = await worldWithCaches();
  await using terminal = await openTerminal(world, `stty cols 0; ${INIT} >out`, { columns: 80 });
  assert.match(await terminal.shows("Another directory"), /◆ {2}Where is the fast scratch\?\n/);
});
