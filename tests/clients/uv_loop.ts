// Installs from a cache of uv again and again until a file exists, in a process of its own: CACHE INDEX TARGET STOP.
// Its last line has the counts in JSON.
import type { LoopCounts } from "./hub_reader.ts";
import { findFaultsOfInstall } from "./uv_reader.ts";

const [cache = "", index = "", target = "", stop = ""] = Deno.args;
const lacks: Record<string, number> = {};
const versions = new Set<string>();
let looks = 0;
while (!await Deno.stat(stop).then(() => true, () => false)) {
  looks++;
  for (const lack of findFaultsOfInstall({ cache, index, target, packages: ["alpha", "beta"] }, versions)) {
    lacks[lack] = (lacks[lack] ?? 0) + 1;
  }
  await Deno.remove(target, { recursive: true }).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
}
const counts: LoopCounts = { looks, lacks, revisions: versions.size };
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(counts)));
