// Real clients read home and scratch in loops while new revisions appear on both sides, are synced and pushed, and old files are
// purged. Bandwidth is limited, so that copying takes long.
import { servePackages } from "../support/package_index.ts";
import { makeWorld, type World } from "../support/world.ts";
import { addPreparation, addRevision, commitOf } from "./caches.ts";
import { type LoopCounts, startHubLoop } from "./hub_reader.ts";
import { fillUvCache } from "./uv_reader.ts";

/** What the readers and the driver have seen. */
export interface LoopReport {
  readonly readers: Readonly<Record<string, LoopCounts>>;
  readonly syncs: number;
  readonly pushes: number;
  /** What euler-files did not end well, by its text. */
  readonly failures: readonly string[];
}

/** Revisions, preparations and versions that are kept; older ones are removed at home, as people do. */
const KEPT = 3;

const LARGE_BYTES = 6 * 1024 * 1024;

/** Runs for so many minutes. */
export async function readBesideTransfers(minutes: number): Promise<LoopReport> {
  await using world = await makeWorld();
  await using index = servePackages([]);
  const home = { hf: world.path("home/hf"), uv: world.path("home/uv") };
  const scratch = {
    hf: `${world.scratch}/.cache/euler-files/HF_HOME`,
    uv: `${world.scratch}/.cache/euler-files/UV_CACHE_DIR`,
  };
  await world.writeConfig({
    vars: { HF_HOME: { source: home.hf }, UV_CACHE_DIR: { source: home.uv } },
    rsync_extra_args: ["--bwlimit=6M"],
  });
  const driver = new Driver(world, index, home, scratch);
  await driver.change("home");
  await driver.run("sync");
  const stop = world.path("stop");
  const uvLoop = (cache: string, name: string) => startUvLoop(cache, index.url, world.path(name), stop);
  const loops = {
    "huggingface_hub at home": startHubLoop(home.hf, stop),
    "huggingface_hub on scratch": startHubLoop(scratch.hf, stop),
    "uv at home": uvLoop(home.uv, "installed-home"),
    "uv on scratch": uvLoop(scratch.uv, "installed-scratch"),
  };
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) await driver.round();
  await Deno.writeTextFile(stop, "");
  const counts = await Promise.all(Object.entries(loops).map(async ([name, loop]) => [name, await loop] as const));
  return { readers: Object.fromEntries(counts), ...driver.counts };
}

class Driver {
  readonly counts = { syncs: 0, pushes: 0, failures: [] as string[] };
  #number = 0;

  constructor(
    readonly world: World,
    readonly index: ReturnType<typeof servePackages>,
    readonly home: { readonly hf: string; readonly uv: string },
    readonly scratch: { readonly hf: string; readonly uv: string },
  ) {}

  /** A change at home is synced, one on scratch is pushed, and what was purged is synced again. */
  async round(): Promise<void> {
    await this.change("home");
    await this.run("sync");
    await this.change("scratch");
    await this.run("push");
    await this.removeOld();
    await this.run("sync");
    await this.purge();
    await this.run("sync");
  }

  /** Adds a revision of everything. */
  async change(side: "home" | "scratch"): Promise<void> {
    const number = ++this.#number;
    const { hf, uv } = this[side];
    addRevision(`${hf}/hub`, { number, largeBytes: LARGE_BYTES });
    addRevision(`${hf}/hub`, { number: number + 1000, largeBytes: 100_000 }, "models--org--other");
    addPreparation(`${hf}/datasets/d`, { number, largeBytes: LARGE_BYTES / 4 });
    const paths = Array.from({ length: 200 }, (_, part) => `data/part${part}/text.txt`);
    const files = Object.fromEntries(paths.map((path) => [`alpha_${path}`, `${number} `.repeat(500)]));
    this.index.add({ name: "alpha", version: `${number}.0`, files });
    if (number === 1) this.index.add({ name: "beta", version: "1.0" });
    const target = this.world.path("installed-driver");
    await fillUvCache({ cache: uv, index: this.index.url, target, packages: ["alpha", "beta"] });
  }

  /** Removes what is old at home. */
  async removeOld(): Promise<void> {
    for (const old of [this.#number - KEPT, this.#number - KEPT - 1]) {
      if (old < 1) continue;
      const repository = `${this.home.hf}/hub/models--org--model`;
      await removeAll(`${repository}/trees/${commitOf(old)}.json`, `${repository}/snapshots/${commitOf(old)}`);
      await removeAll(`${this.home.hf}/datasets/d/hash${old}`);
      await this.world.exec("sh", ["-c", `find ${repository}/blobs -size +1M -mmin +3 -delete`]);
    }
  }

  /** Removes files of an earlier revision on scratch, one by one, as a site does. */
  async purge(): Promise<void> {
    const old = this.#number - 1;
    // A purge makes this directory the newest one, which no copying can help: here it keeps its time.
    const directory = `${this.scratch.hf}/datasets/d/hash${old}`;
    const script = `touch -r ${directory} time; rm ${directory}/data.arrow; touch -r time ${directory}`;
    await this.world.exec("sh", ["-c", script]);
    const snapshot = `${this.scratch.hf}/hub/models--org--model/snapshots/${commitOf(old)}`;
    await this.world.exec("sh", ["-c", `cd ${snapshot} && rm $(readlink -f model.safetensors) config.json`]);
  }

  async run(command: "sync" | "push"): Promise<void> {
    // What changed deep in a cache is found by a full comparison alone.
    const args = command === "sync" ? ["sync", "--force"] : ["push"];
    const { code, stderr } = await this.world.run(args, { timeoutSeconds: 300 });
    if (command === "sync") this.counts.syncs++;
    else this.counts.pushes++;
    if (code !== 0 || stderr.includes("warning")) this.counts.failures.push(`${command}: ${stderr.trim()}`);
  }
}

async function removeAll(...paths: readonly string[]): Promise<void> {
  for (const path of paths) await Deno.remove(path, { recursive: true }).catch(() => {});
}

async function startUvLoop(cache: string, index: string, target: string, stop: string): Promise<LoopCounts> {
  const file = new URL("uv_loop.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-prompt", file, cache, index, target, stop],
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
