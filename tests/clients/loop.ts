// Real clients read source and scratch in loops while new revisions appear on both sides, also in the middle of a sync
// or push, and old files are purged. In every other round the bandwidth is limited, so that copying takes long.
import { serveHub } from "../support/hub.ts";
import { servePackages } from "../support/package_index.ts";
import { makeWorld, type World } from "../support/world.ts";
import { addPreparation, addRevision, commitOf } from "./caches.ts";
import { DATASETS_REASON, fillFromHub, readOffline, serveRevision } from "./datasets_client.ts";
import { fillGoCache, findFaultsOfGo, GO_REASON } from "./go_client.ts";
import { type LoopCounts, startHubLoop } from "./hub_reader.ts";
import { fillNpmCache, findFaultsOfNpm, NPM_REASON, serveRegistry } from "./npm_client.ts";
import { fillUvCache } from "./uv_reader.ts";

/** What the readers and the driver have seen. */
export interface LoopReport {
  readonly readers: Readonly<Record<string, LoopCounts>>;
  readonly syncs: number;
  readonly pushes: number;
  /** Messages of the runs of euler-files that failed. */
  readonly failures: readonly string[];
}

/** How many revisions, preparations and versions are kept; older ones are removed at the source, as users do. */
const KEPT = 3;

const LARGE_BYTES = 6 * 1024 * 1024;

/** Rows of a dataset. */
const ROWS = 20_000;

/** The caches of one side. */
type Side = Readonly<Record<"hf" | "uv" | "go" | "npm", string>>;

/** Clients that are not installed on this machine, with the reason. */
export const MISSING_CLIENTS: readonly string[] = [DATASETS_REASON, GO_REASON, NPM_REASON].filter((reason) =>
  reason !== undefined
);

/** Runs for that many minutes. */
export async function readBesideTransfers(minutes: number): Promise<LoopReport> {
  await using world = await makeWorld();
  await using index = servePackages([]);
  await using hub = serveHub();
  await using registry = serveRegistry();
  const vars = { HF_HOME: "hf", UV_CACHE_DIR: "uv", GOMODCACHE: "go", npm_config_cache: "npm" } as const;
  const sideAt = (pathOf: (name: string, cache: string) => string) =>
    Object.fromEntries(Object.entries(vars).map(([name, cache]) => [cache, pathOf(name, cache)])) as Side;
  const home = sideAt((_, cache) => world.path(`home/${cache}`));
  const scratch = sideAt((name) => `${world.scratch}/.cache/euler-files/${name}`);
  for (const path of Object.values(home)) await Deno.mkdir(path);
  const sources = Object.fromEntries(Object.entries(vars).map(([name, cache]) => [name, { source: home[cache] }]));
  const configure = (settings: object) => world.writeConfig({ vars: sources, ...settings });
  await configure({});
  const driver = new Driver(world, { index, hub, registry, proxy: world.path("proxy") }, home, scratch, configure);
  await driver.change("home");
  await driver.run("sync");
  const stop = world.path("stop");
  const loops: Record<string, Promise<LoopCounts>> = {};
  for (const [where, side] of Object.entries({ "at home": home, "on scratch": scratch })) {
    const aside = (client: string) => world.path(`${client} ${where}`.replaceAll(" ", "-"));
    loops[`huggingface_hub ${where}`] = startHubLoop(side.hf, stop);
    loops[`uv ${where}`] = startUvLoop(side.uv, index.url, aside("uv"), stop);
    if (DATASETS_REASON === undefined) loops[`datasets and transformers ${where}`] = readOffline(side.hf, stop);
    if (GO_REASON === undefined) loops[`go ${where}`] = lookUntil(stop, () => findFaultsOfGo(side.go, aside("go")));
    if (NPM_REASON === undefined) {
      loops[`npm ${where}`] = lookUntil(stop, () => findFaultsOfNpm(side.npm, registry.url, aside("npm")));
    }
  }
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) await driver.round();
  await Deno.writeTextFile(stop, "");
  const counts = await Promise.all(Object.entries(loops).map(async ([name, loop]) => [name, await loop] as const));
  return { readers: Object.fromEntries(counts), ...driver.counts };
}

/** Where clients download from. */
interface Origins {
  readonly index: ReturnType<typeof servePackages>;
  readonly hub: ReturnType<typeof serveHub>;
  readonly registry: ReturnType<typeof serveRegistry>;
  /** A directory. */
  readonly proxy: string;
}

class Driver {
  readonly counts = { syncs: 0, pushes: 0, failures: [] as string[] };
  #number = 0;
  #isSlow = true;

  constructor(
    readonly world: World,
    readonly origins: Origins,
    readonly home: Side,
    readonly scratch: Side,
    readonly configure: (settings: object) => Promise<void>,
  ) {}

  /** A change at the source is synced, one on scratch is pushed, and what was purged is synced again. */
  async round(): Promise<void> {
    // Alternately slow, with waiting calls, and at full speed, with plain calls.
    this.#isSlow = !this.#isSlow;
    await this.configure(this.#isSlow ? { rsync_extra_args: ["--bwlimit=6M"] } : {});
    await this.changeBeside("home", "sync");
    await this.run("sync");
    await this.changeBeside("scratch", "push");
    await this.run("push");
    await this.removeOld();
    await this.run("sync");
    await this.purge();
    await this.run("sync");
  }

  /** Adds a revision of everything while transfers run, one after the other. */
  async changeBeside(side: "home" | "scratch", command: "sync" | "push"): Promise<void> {
    let isDone = false;
    const change = this.change(side).finally(() => isDone = true);
    while (!isDone) await this.run(command, "beside a change");
    await change;
  }

  /** Adds a revision of everything. */
  async change(side: "home" | "scratch"): Promise<void> {
    const number = ++this.#number;
    const { hf, uv, go, npm } = this[side];
    const { index, hub, registry, proxy } = this.origins;
    addRevision(`${hf}/hub`, { number, largeBytes: LARGE_BYTES });
    addRevision(`${hf}/hub`, { number: number + 1000, largeBytes: 100_000 }, "models--org--other");
    addPreparation(`${hf}/datasets/d`, { number, largeBytes: LARGE_BYTES / 4 });
    const paths = Array.from({ length: 200 }, (_, part) => `data/part${part}/text.txt`);
    const files = Object.fromEntries(paths.map((path) => [`alpha_${path}`, `${number} `.repeat(500)]));
    index.add({ name: "alpha", version: `${number}.0`, files });
    if (number === 1) index.add({ name: "beta", version: "1.0" });
    const target = this.world.path("installed-driver");
    await fillUvCache({ cache: uv, index: index.url, target, packages: ["alpha", "beta"] });
    if (GO_REASON === undefined) await fillGoCache(proxy, go, number);
    if (NPM_REASON === undefined) {
      await registry.add(number);
      await fillNpmCache(npm, registry.url, this.world.path("npm-driver"));
    }
    if (DATASETS_REASON !== undefined) return;
    serveRevision(hub, number, ROWS);
    await fillFromHub(hub, hf, this.world.path("preparing"));
  }

  /** Removes old revisions at the source. */
  async removeOld(): Promise<void> {
    for (const old of [this.#number - KEPT, this.#number - KEPT - 1]) {
      if (old < 1) continue;
      const repository = `${this.home.hf}/hub/models--org--model`;
      await removeAll(`${repository}/trees/${commitOf(old)}.json`, `${repository}/snapshots/${commitOf(old)}`);
      await removeAll(`${this.home.hf}/datasets/d/hash${old}`);
      const prepared = `${this.home.hf}/datasets/org___data/default/0.0.0`;
      const isOld = `ls -dt [0-9a-f]*[0-9a-f] | tail -n +${KEPT + 1}`;
      await this.world.exec("sh", ["-c", `cd ${prepared} && rm -rf $(${isOld})`]);
      await this.world.exec("sh", ["-c", `find ${repository}/blobs -size +1M -mmin +3 -delete`]);
    }
  }

  /**
   * Removes files of an earlier revision on scratch, one by one, as a site does. None of a dataset: that would make its
   * directory the newest one, and no transfer can correct that.
   */
  async purge(): Promise<void> {
    const old = this.#number - 1;
    const snapshot = `${this.scratch.hf}/hub/models--org--model/snapshots/${commitOf(old)}`;
    await this.world.exec("sh", ["-c", `cd ${snapshot} && rm $(readlink -f model.safetensors) config.json`]);
  }

  async run(command: "sync" | "push", when: "alone" | "beside a change" = "alone"): Promise<void> {
    // Only a full comparison finds what changed deep in a cache.
    const args = command === "sync" ? ["sync", "--force"] : ["push"];
    const { code, stderr } = await this.world.run(args, { timeoutSeconds: 300 });
    if (command === "sync") this.counts.syncs++;
    else this.counts.pushes++;
    if (when === "beside a change" && /written while the transfer ran|vanished/.test(stderr)) return;
    if (code !== 0 || stderr.includes("warning")) this.counts.failures.push(`${command}: ${stderr.trim()}`);
  }
}

async function removeAll(...paths: readonly string[]): Promise<void> {
  for (const path of paths) await Deno.remove(path, { recursive: true }).catch(() => {});
}

/** Reads again and again until a file exists, with pauses, because it shares the processors with the transfers. */
async function lookUntil(
  stop: string,
  look: () => Promise<{ readonly lacks: readonly string[]; readonly revision: string | undefined }>,
): Promise<LoopCounts> {
  const lacks: Record<string, number> = {};
  const revisions = new Set<string | undefined>();
  let looks = 0;
  while (!await Deno.stat(stop).then(() => true, () => false)) {
    looks++;
    const found = await look();
    revisions.add(found.revision);
    for (const lack of found.lacks) lacks[lack] = (lacks[lack] ?? 0) + 1;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return { looks, lacks, revisions: revisions.size };
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
