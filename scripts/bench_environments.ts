// Measures how long a Python takes to import 100 packages of an environment of 20,000 files on a slow home, on scratch, in a pack
// that is mounted from scratch, and on the disk of the node; and how long each takes to get there: `deno task bench:environments
// --home DIR --scratch DIR --node DIR`. The ways take turns with cold caches, as far as this user may empty them; medians are reported.
import { parseArgs } from "node:util";
import { privateMountWords } from "../src/tools/private_mount.ts";
import { findSquashfuseForTests } from "./prepare_apptainer.ts";

const { values: options } = parseArgs({
  options: {
    home: { type: "string" },
    scratch: { type: "string" },
    node: { type: "string" },
    packages: { type: "string", default: "100" },
    modules: { type: "string", default: "199" },
    turns: { type: "string", default: "5" },
  },
});
const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const { home, scratch, node } = options;
const squashfuse = findSquashfuseForTests();
if (home === undefined || scratch === undefined || node === undefined || squashfuse === undefined) {
  print("error: give --home, --scratch and --node; squashfuse must be there (scripts/prepare_apptainer.ts gets it)");
  Deno.exit(1);
}
const packages = Array.from({ length: Number(options.packages) }, (_, index) => `package${index}`);

await run(["python3", "-m", "venv", "--without-pip", `${home}/env`]);
const site = (await Array.fromAsync(Deno.readDir(`${home}/env/lib`)))[0]!.name;
const root = `${home}/env/lib/${site}/site-packages`;
await Promise.all(packages.map((name) => makePackage(`${root}/${name}`)));
await run([`${home}/env/bin/python`, "-m", "compileall", "-q", "-j", "16", root]);

const stage = {
  "scratch, cp -a": () => run(["cp", "-a", "--", `${home}/env`, `${scratch}/env`]),
  "pack, mksquashfs from home": () =>
    run(["mksquashfs", `${home}/env`, `${home}/env.sqsh`, "-quiet", "-no-progress", "-noappend", "-comp", "zstd"]),
  "pack, home to scratch": () => run(["cp", "--", `${home}/env.sqsh`, `${scratch}/env.sqsh`]),
  "node, unsquashfs from scratch": () =>
    run(["unsquashfs", "-quiet", "-no-progress", "-d", `${node}/env`, `${scratch}/env.sqsh`]),
};
print("| staged | seconds |\n| --- | --- |");
for (const [name, work] of Object.entries(stage)) print(`| ${name} | ${(await secondsOf(work)).toFixed(2)} |`);

const imports = ["-I", "-S", "-c", `import sys; sys.path.insert(0, sys.argv[1])\nimport ${packages.join(", ")}`];
const importFrom = (directory: string) => ["python3", ...imports, `${directory}/env/lib/${site}/site-packages`];
await Deno.mkdir(`${node}/mounted/env`, { recursive: true });
const mount = { from: `${scratch}/env.sqsh`, squashfuse: squashfuse.program, path: `${node}/mounted/env` };
const ways = {
  "slow home": importFrom(home),
  "scratch": importFrom(scratch),
  "pack on scratch, mounted": [...privateMountWords(mount, Deno.uid()!, Deno.gid()!), ...importFrom(`${node}/mounted`)],
  "node": importFrom(node),
};
const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
for (let turn = 0; turn < Number(options.turns); turn++) {
  for (const [name, command] of Object.entries(ways)) {
    await run(["sh", "-c", "sync; echo 3 2>/dev/null >/proc/sys/vm/drop_caches || :"]);
    seconds.get(name)!.push(await secondsOf(() => run(command)));
  }
}
print(`\n| import of ${packages.length} packages from | seconds |\n| --- | --- |`);
for (const [name, all] of seconds) print(`| ${name} | ${all.sort((a, b) => a - b)[all.length >> 1]!.toFixed(3)} |`);

/** A package that imports three of its modules, the others are there. */
async function makePackage(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const names = Array.from({ length: Number(options.modules) }, (_, index) => `module${index}`);
  await Promise.all(names.map((name) => Deno.writeTextFile(`${directory}/${name}.py`, `x = "${name}"\n`)));
  await Deno.writeTextFile(`${directory}/__init__.py`, "from . import module0, module1, module2\n");
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function run([program, ...args]: readonly string[]): Promise<void> {
  const env = { LD_LIBRARY_PATH: squashfuse!.libraries };
  const outcome = await new Deno.Command(program!, { args, env, stdout: "null", stderr: "piped" }).output();
  if (!outcome.success) throw new Error(`${program} failed: ${new TextDecoder().decode(outcome.stderr)}`);
}
