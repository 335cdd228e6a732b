// A world with an environment that can be packed without Python, an `apptainer` section and the stand-in for Apptainer.
import { makeWorld, type RunAs, type World } from "./world.ts";

/** Switches of the stand-in: `fail`, `partial`, `nothing`, `slow`, `code`. */
export type Switch = "fail" | "partial" | "nothing" | "slow" | "code";

/** What {@linkcode makeImageWorld} makes. */
export interface ImageWorld extends AsyncDisposable {
  readonly world: World;
  /** The directory of the images, and that of their copies on scratch. */
  readonly store: string;
  readonly scratchStore: string;
  /** Turns a switch of the stand-in on, with a text, or off (undefined). */
  turn(name: Switch, text: string | undefined): Promise<void>;
  /** The arguments of the calls to the stand-in, one line per call. */
  calls(): Promise<string[]>;
  /** The image's record in the configuration. */
  // deno-lint-ignore no-explicit-any
  record(name: string): Promise<any>;
}

/** The files of a small environment called `name`. */
export function venvTree(path: string): Record<string, string | { file: string; mode: number } | { link: string }> {
  return {
    "pyvenv.cfg": "home = /usr/bin\nversion_info = 3.11.2\nuv = 0.13.8\n",
    "bin/activate": `VIRTUAL_ENV='${path}'\n`,
    "bin/python": { link: "/usr/bin/python3" },
    "bin/tool": { file: `#!${path}/bin/python\nprint(1)\n`, mode: 0o755 },
    "lib/python3.11/site-packages/tool-1.0.dist-info/RECORD": "../../../bin/tool,,\ntool.py,,\n",
    "lib/python3.11/site-packages/tool.py": "x = 1\n",
  };
}

/** Makes an image world; use it with `await using`. */
export async function makeImageWorld(options: { readonly runAs?: RunAs } = {}): Promise<ImageWorld> {
  const world = await makeWorld(options);
  const fake = await Deno.readTextFile(new URL("../fakes/apptainer", import.meta.url));
  const log = world.path("tmp/apptainer.log");
  await world.fakeProgram("apptainer", fake.replace("${APPTAINER_LOG:?}", `'${log}'`));
  await world.writeTree("home/venvs/env", venvTree(world.path("home/venvs/env")));
  await world.writeConfig({
    apptainer: {
      venv_base: "~/venvs",
      sif_store: "~/sif",
      scratch_sif_dir: "$SCRATCH/sif",
      base_image: "python:{version}-slim",
    },
  });
  return {
    world,
    store: world.path("home/sif"),
    scratchStore: world.path("scratch/sif"),
    async turn(name, text) {
      if (text === undefined) await Deno.remove(`${log}.${name}`);
      else await Deno.writeTextFile(`${log}.${name}`, text);
      await world.handOver();
    },
    calls: async () => (await Deno.readTextFile(log).catch(() => "")).split("\n").filter((line) => line !== ""),
    async record(name) {
      const { images, image_details } =
        JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`)).apptainer;
      return images?.[name] === undefined ? undefined : { ...images[name], ...image_details?.[name] };
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** The names in a directory, hidden ones too; empty if it does not exist. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(directory))).map((entry) => entry.name).sort();
  } catch {
    return [];
  }
}
