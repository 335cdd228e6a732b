// Measures staging against the other tools on any two directories: `deno task bench --source DIR --scratch DIR`.
// Programs run alternately with cold caches; prints medians, ratios to the best other, peak memory and operations per file.
import { parseArgs } from "node:util";
import { median, plotTimes } from "./bench_plot.ts";
import { type BenchCase, type BenchProgram, findPrograms, isInstalled } from "./bench_programs.ts";
import { changeFiles, makeTree, TREE_KINDS, type TreeKind } from "./bench_trees.ts";

const { values: options } = parseArgs({
  options: {
    source: { type: "string" },
    scratch: { type: "string" },
    trees: { type: "string", default: TREE_KINDS.join(",") },
    files: { type: "string", default: "10000" },
    turns: { type: "string", default: "3" },
    program: { type: "string", default: "dist/euler-files" },
    only: { type: "string" },
    large: { type: "boolean", default: false },
    operations: { type: "boolean", default: false },
    "before-each": { type: "string" },
    "source-behind": { type: "string" },
    "scratch-behind": { type: "string" },
    "longest-seconds": { type: "string", default: "300" },
    cases: { type: "string", default: "first,unchanged,changed" },
    sizes: { type: "string" },
    plot: { type: "string" },
  },
});

const CASES = (["first", "unchanged", "changed"] as const).filter((bench) => options.cases.split(",").includes(bench));
const PLOT_FILES = [1_000, 10_000, 100_000];

if (options.source === undefined || options.scratch === undefined) {
  fail("give two directories: --source DIR --scratch DIR");
}
const source = await Deno.realPath(options.source);
const scratch = await Deno.realPath(options.scratch);
// Trees are made and removed in the directory behind a slow mount, which is a directory of a fast local disk.
const sourceBehind = await Deno.realPath(options["source-behind"] ?? source);
const scratchBehind = await Deno.realPath(options["scratch-behind"] ?? scratch);
const ours = await Deno.realPath(options.program).catch(() =>
  fail(`"${options.program}" is not there: deno task compile`)
);
const temporary = await Deno.makeTempDir({ prefix: "euler-files-bench-" });
const programs = findPrograms(ours, temporary).filter(({ name }) =>
  options.only === undefined || name.match(options.only) !== null
);

/** Seconds per file in each case for the previous tree, and the programs that have filled their target with the current one. */
const perFile = new Map<string, number>();
const filled = new Set<string>();

try {
  const sizes = options.sizes?.split(",").map(Number) ??
    (options.plot === undefined ? [Number(options.files)] : PLOT_FILES.concat(options.large ? 1_000_000 : []));
  const points: { name: string; files: number; seconds: number }[] = [];
  for (const kind of options.plot === undefined ? treeKinds(options.trees) : ["small-files" as const]) {
    for (const size of sizes) points.push(...await benchTree(kind, size));
  }
  if (options.plot !== undefined) await Deno.writeTextFile(options.plot, plotTimes(points));
} finally {
  await Deno.remove(temporary, { recursive: true });
}

/** Measures one tree and prints its tables; returns the times of the first staging. */
async function benchTree(kind: TreeKind, size: number): Promise<{ name: string; files: number; seconds: number }[]> {
  const from = `${source}/bench-${kind}`;
  const behind = `${sourceBehind}/bench-${kind}`;
  const files = await makeTree(kind, behind, size);
  print(`\n### ${kind}, ${files} files\n`);
  filled.clear();
  const firsts: { name: string; files: number; seconds: number }[] = [];
  try {
    for (const bench of CASES) {
      if (bench === "changed" && kind !== "small-files" && kind !== "flat") continue;
      const medians = await benchCase({ from, behind, bench, files });
      if (bench === "first") { for (const [name, seconds] of medians) firsts.push({ name, files, seconds }); }
    }
  } finally {
    await Deno.remove(behind, { recursive: true });
    await Deno.remove(`${behind}.names`).catch(() => {});
    for (const program of programs) await removeTarget(program);
  }
  return firsts;
}

interface CaseRequest {
  readonly from: string;
  /** The same directory, by a path that is fast to write. */
  readonly behind: string;
  readonly bench: BenchCase;
  readonly files: number;
}

async function benchCase({ from, behind, bench, files }: CaseRequest): Promise<Map<string, number>> {
  const times = new Map<BenchProgram, Measurement[]>();
  for (let turn = 0; turn < Number(options.turns); turn++) {
    if (bench === "changed") await changeFiles(behind, 100, turn);
    for (const program of programs) {
      if (isTooSlow(program, bench, files)) continue;
      const to = targetOf(program);
      const command = program.command(from, to, bench);
      if (command === undefined) continue;
      if (bench === "first") await removeTarget(program);
      await Deno.mkdir(to.replace(scratch, scratchBehind), { recursive: true });
      await configure(from);
      await coolDown();
      filled.add(program.name);
      times.set(program, [...times.get(program) ?? [], await measure(command)]);
    }
  }
  const medians = new Map([...times].map(([{ name }, runs]) => [name, median(runs.map(({ seconds }) => seconds))]));
  for (const [name, seconds] of medians) perFile.set(`${bench} ${name}`, seconds / files);
  const best = Math.min(...[...medians].filter(([name]) => name !== "euler-files").map(([, seconds]) => seconds));
  print(`| ${bench} | seconds | to the best other | peak memory |${options.operations ? " operations a file |" : ""}`);
  print(`|---|---|---|---|${options.operations ? "---|" : ""}`);
  for (const [program, runs] of times) {
    const seconds = medians.get(program.name) ?? NaN;
    const memory = median(runs.map(({ peakMegabytes }) => peakMegabytes));
    const operations = options.operations ? ` ${await countOperations(program, from, bench, files)} |` : "";
    print(
      `| ${program.name} | ${seconds.toFixed(2)} | ${(seconds / best).toFixed(2)} | ${
        memory.toFixed(0)
      } MB |${operations}`,
    );
  }
  print("");
  return medians;
}

interface Measurement {
  readonly seconds: number;
  readonly peakMegabytes: number;
}

async function measure(command: string): Promise<Measurement> {
  const args = isInstalled("/usr/bin/time")
    ? ["-c", `exec /usr/bin/time -f "peak %M" sh -c "$0"`, command]
    : ["-c", command];
  const started = performance.now();
  const output = await new Deno.Command("sh", { args, cwd: temporary, stdout: "null", stderr: "piped" }).output();
  const seconds = (performance.now() - started) / 1000;
  const words = new TextDecoder().decode(output.stderr);
  if (!output.success) fail(`\`${command}\` failed: ${words}`);
  return { seconds, peakMegabytes: Number(/^peak (\d+)$/m.exec(words)?.[1] ?? NaN) / 1024 };
}

/** File operations of a separate run under strace, per file. */
async function countOperations(program: BenchProgram, from: string, bench: BenchCase, files: number): Promise<string> {
  const to = targetOf(program);
  const command = program.command(from, to, bench);
  if (command === undefined || !isInstalled("strace")) return "–";
  if (bench === "first") {
    await removeTarget(program);
    await Deno.mkdir(to);
  }
  const log = `${temporary}/strace`;
  const calls =
    "%file,read,write,pread64,pwrite64,copy_file_range,fchmod,fchown,futimesat,utimensat,getdents64,ftruncate";
  await measure(`strace -f -c -U calls -o ${log} -e trace=${calls} sh -c '${command.replaceAll("'", "'\\''")}'`);
  const counts = (await Deno.readTextFile(log)).matchAll(/^ *(\d+) (?!total)\w+$/gm);
  const total = [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  return (total / files).toFixed(1);
}

async function configure(from: string): Promise<void> {
  const config = {
    version: 1,
    scratch_base: "$BENCH_SCRATCH",
    cache_root: ".",
    // Never skip as fresh: the comparison is measured, not the skipping.
    skip_if_fresh_seconds: 0,
    vars: { BENCH_HOME: { source: from } },
  };
  await Deno.writeTextFile(`${temporary}/config.json`, JSON.stringify(config));
}

/** Empties the caches: runs the given command, and empties the kernel's cache if that is allowed. */
async function coolDown(): Promise<void> {
  const drop = "sync; echo 3 2>/dev/null >/proc/sys/vm/drop_caches || :";
  const args = ["-c", options["before-each"] === undefined ? drop : `${options["before-each"]}; ${drop}`];
  await new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).output();
}

/** Whether a program would exceed the time limit, estimated from its time for a smaller tree. */
function isTooSlow({ name }: BenchProgram, bench: BenchCase, files: number): boolean {
  if (bench !== "first" && !filled.has(name)) return true;
  const expectedSeconds = (perFile.get(`${bench} ${name}`) ?? 0) * files;
  return name !== "euler-files" && expectedSeconds > Number(options["longest-seconds"]);
}

async function removeTarget(program: BenchProgram): Promise<void> {
  await Deno.remove(targetOf(program).replace(scratch, scratchBehind), { recursive: true }).catch(() => {});
}

function targetOf(program: BenchProgram): string {
  return `${scratch}/bench-${program.name.replaceAll(/\W+/g, "-")}`;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function treeKinds(names: string): TreeKind[] {
  return names.split(",").map((name) => {
    const kind = TREE_KINDS.find((known) => known === name);
    return kind ?? fail(`no such tree as "${name}"; there are ${TREE_KINDS.join(", ")}`);
  });
}

function fail(message: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`error: ${message}\n`));
  Deno.exit(1);
}
