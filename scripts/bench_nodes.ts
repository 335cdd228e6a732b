// Measures staging to the disks of several nodes through a real Slurm: `deno task bench:nodes --slowfs PROGRAM [--delay 2ms]`.
// Each node sees scratch through a slow client of its own, which counts what it is asked; home is a local directory.
import { parseArgs } from "node:util";
import { makeWorld, type World } from "../tests/support/world.ts";
import { startCluster } from "../tests/support/slurm.ts";

const { values: options } = parseArgs({
  options: {
    slowfs: { type: "string" },
    delay: { type: "string", default: "2ms" },
    nodes: { type: "string", default: "4" },
    directories: { type: "string", default: "500" },
    "large-megabytes": { type: "string", default: "60" },
  },
});

if (options.slowfs === undefined) {
  Deno.stderr.writeSync(new TextEncoder().encode("error: give the program that delays scratch: --slowfs PROGRAM\n"));
  Deno.exit(1);
}
const slowScratch = { program: options.slowfs, delay: options.delay };
const nodes = Number(options.nodes);

/** Runs a command, and writes its seconds and what each node's client of scratch was asked meanwhile. */
const MEASURE = `#!/bin/bash
set -e
measure() {
  kill -USR1 $(cat BASE/slowfs.*.pid); sleep 0.5
  local name=$1 start end; shift
  start=$(date +%s.%N); "$@" >/dev/null; end=$(date +%s.%N)
  kill -USR1 $(cat BASE/slowfs.*.pid); sleep 0.5
  echo "== $name $(echo "$end $start" | awk '{print $1 - $2}')"
  for node in $(seq "$SLURM_JOB_NUM_NODES"); do echo "n$node $(cat BASE/stats.n$node)"; done
}
`;

/** What each job measures: jobs on all nodes and on one. Its disks are its own, except in the last two. */
const JOBS: readonly { readonly nodes: number; readonly script: string }[] = [
  { nodes: 1, script: 'measure "home to scratch" euler-files sync' },
  { nodes: 1, script: 'measure "scratch to one node, no pack" euler-files sync --to node' },
  {
    nodes,
    script: 'measure "scratch to N nodes, the pack is made" euler-files sync --to node\n' +
      'measure "the same job again" euler-files sync --to node',
  },
  { nodes: 1, script: 'measure "scratch to one node, from the pack" euler-files sync --to node' },
  { nodes, script: 'measure "scratch to N nodes, from the pack" euler-files sync --to node' },
  {
    nodes,
    script: "euler-files config set node_base BASE/disk\n" +
      "euler-files sync --to node >/dev/null",
  },
  { nodes, script: 'measure "the next job on the same disks" euler-files sync --to node' },
];

const rows: string[] = [];
await using world = await makeWorld();
await makeSource(world);
await using cluster = await startCluster(world, nodes, { slowScratch });
for (const job of JOBS) rows.push(...await measureJob(job));
print(
  ["| job | seconds | metadata operations on scratch, each node | read, each node |", "|---|---|---|---|", ...rows]
    .join("\n"),
);

/** 20 files of 0.3 to 9 KB in each directory, and four large files. */
async function makeSource(world: World): Promise<void> {
  const bytes = crypto.getRandomValues(new Uint8Array(9000));
  for (let directory = 0; directory < Number(options.directories); directory++) {
    const path = world.path(`home/hf/hub/${directory}`);
    await Deno.mkdir(path, { recursive: true });
    for (let file = 0; file < 20; file++) {
      await Deno.writeFile(`${path}/${file}`, bytes.subarray(0, 300 + (directory * 20 + file) * 7919 % 8700));
    }
  }
  const large = crypto.getRandomValues(new Uint8Array(65536));
  for (let file = 0; file < 4; file++) {
    using opened = await Deno.open(world.path(`home/hf/large-${file}`), { create: true, write: true });
    for (let part = 0; part < Number(options["large-megabytes"]) * 16; part++) await opened.write(large);
  }
  // Files that were just written are compared once more by the next sync (transfer/racy.ts).
  await world.exec("find", [world.path("home/hf"), "-exec", "touch", "-d", "@1700000000", "{}", "+"]);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
}

async function measureJob({ nodes, script }: { readonly nodes: number; readonly script: string }): Promise<string[]> {
  const text = `${MEASURE}${script}\n`.replaceAll("BASE", world.path("slurm"));
  const job = await cluster.submit(text, [`-N${nodes}`, "--ntasks-per-node=1", "--exclusive"]);
  const { state } = await cluster.ended(job);
  const output = await cluster.output(job);
  if (state !== "COMPLETED") throw new Error(`${script}: ${state}: ${output}`);
  return output.split(/^== /m).slice(1).map((part) => {
    const [head = "", ...lines] = part.split("\n");
    const [, name = "", seconds = ""] = /^(.*) (\S+)$/.exec(head) ?? [];
    const asked = lines.filter((line) => line.includes("ops="));
    const read = asked.map((line) => Number(/readMB=(\S+)/.exec(line)?.[1]).toFixed(0));
    return `| ${name.replace(" N ", ` ${nodes} `)} | ${Number(seconds).toFixed(1)} | ${
      asked.map(metadataOperations).join(", ")
    } | ${read.join(", ")} MB |`;
  });
}

/** Everything but reads and writes. */
function metadataOperations(line: string): number {
  const count = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1] ?? 0);
  return count("ops") - count("Read") - count("Write");
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
