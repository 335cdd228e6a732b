// Measures what an environment of 20,000 files costs on a slow home: importing 100 packages from there, from scratch, from a pack
// that is mounted from scratch, and from the disk of the node; how long each takes to get there; and building an image of it
// against plain %files and tar. `deno task bench:environments --home DIR --scratch DIR --node DIR`, all on this machine; --skip WORD
// leaves out what has that word. Caches are emptied before each measurement, as far as this user may.
import { parseArgs } from "node:util";
import { privateMountWords } from "../src/tools/private_mount.ts";
import { median } from "./bench_plot.ts";
import { type ContainerWorkshop, findSquashfuseForTests, findWorkshop } from "./prepare_apptainer.ts";

const { values: options } = parseArgs({
  options: {
    home: { type: "string" },
    scratch: { type: "string" },
    node: { type: "string" },
    packages: { type: "string", default: "100" },
    modules: { type: "string", default: "99" },
    turns: { type: "string", default: "5" },
    program: { type: "string", default: "dist/euler-files" },
    skip: { type: "string" },
  },
});
const print = (line: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const squashfuse = findSquashfuseForTests();
if (options.home === undefined || options.scratch === undefined || options.node === undefined) {
  print("error: give --home, --scratch and --node");
  Deno.exit(1);
}
if (squashfuse === undefined) {
  print("error: squashfuse must be there (scripts/prepare_apptainer.ts gets it)");
  Deno.exit(1);
}
const [home, scratch, node] = [options.home, options.scratch, options.node];
const ours = await Deno.realPath(options.program);
const workshop = await findWorkshop();
const builder: ContainerWorkshop | undefined = typeof workshop === "string" ? undefined : workshop;
const packages = Array.from({ length: Number(options.packages) }, (_, index) => `package${index}`);
const env = `${home}/venvs/env`;
const base = `${node}/base.sif`;
const site = `lib/${await makeEnvironment()}/site-packages`;

await table("staged", {
  "home to scratch, `euler-files sync`": [ours, "sync", "--quiet"],
  "home to scratch, `cp -a`": ["cp", "-a", "--", env, `${scratch}/copied`],
  "pack made on home, `euler-files venv pack`": [ours, "venv", "pack", "env", "--quiet"],
  "pack to scratch, `euler-files apptainer sync`": [ours, "apptainer", "sync", "--quiet"],
  "pack from scratch to the node, unsquashfs": [
    ...["unsquashfs", "-quiet", "-no-progress", "-d", `${node}/env`],
    `${scratch}/sif/env.sqsh`,
  ],
});
await measureImports();
if (builder === undefined) print(`\nno image was built: ${workshop}`);
else {
  await table("an image of the environment on home", {
    "`euler-files apptainer build`": [ours, "apptainer", "build", "env", "--quiet"],
    "tar, then %files of the archive": ["sh", "-c", `tar -cf ${node}/env.tar -C ${env} . && ${buildWords("tar")}`],
    "plain %files of the directory": ["sh", "-c", buildWords("plain")],
  });
}

/** Makes the environment, the configuration and the definitions; returns the name of the directory in lib. */
async function makeEnvironment(): Promise<string> {
  for (const path of [`${home}/venvs`, `${home}/sif`, `${node}/tmp`]) await Deno.mkdir(path, { recursive: true });
  await must(["/usr/bin/python3", "-m", "venv", "--without-pip", env]);
  const [{ name: version }] = await Array.fromAsync(Deno.readDir(`${env}/lib`)) as [Deno.DirEntry];
  const root = `${env}/lib/${version}/site-packages`;
  await Promise.all(packages.map((name) => makePackage(`${root}/${name}`)));
  await must([`${env}/bin/python`, "-m", "compileall", "-q", "-j", "16", root]);
  const config = {
    version: 1,
    scratch_base: "$SCRATCH",
    cache_root: ".",
    vars: { BENCH_ENVIRONMENT: { source: env } },
    apptainer: {
      ...{ venv_base: `${home}/venvs`, sif_store: `${home}/sif`, scratch_sif_dir: `${scratch}/sif` },
      base_image: base,
    },
  };
  await Deno.writeTextFile(`${node}/config.json`, JSON.stringify(config));
  const head = `Bootstrap: localimage\nFrom: ${base}\n\n%files\n`;
  await Deno.writeTextFile(`${node}/plain.def`, `${head}    ${env} /opt/venv\n`);
  const unpack = "\n%post\n    mkdir -p /opt/venv && tar -xof /opt/env.tar -C /opt/venv && rm /opt/env.tar\n";
  await Deno.writeTextFile(`${node}/tar.def`, `${head}    ${node}/env.tar /opt/env.tar\n${unpack}`);
  if (builder !== undefined) {
    await Deno.copyFile(builder.baseImage, base);
    for (const path of [home, scratch, node]) await must(["chown", "-R", `${builder.uid}:${builder.gid}`, path]);
    for (const path of [home, scratch, node]) await Deno.chmod(path, 0o755);
  }
  return version;
}

/** A package that imports three of its modules, the others are there. */
async function makePackage(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const names = Array.from({ length: Number(options.modules) }, (_, index) => `module${index}`);
  const content = (name: string) => `x = "${name} ${"of an environment ".repeat(60)}"\n`;
  await Promise.all(names.map((name) => Deno.writeTextFile(`${directory}/${name}.py`, content(name))));
  await Deno.writeTextFile(`${directory}/__init__.py`, "from . import module0, module1, module2\n");
}

async function measureImports(): Promise<void> {
  const code = `import sys; sys.path.insert(0, sys.argv[1])\nimport ${packages.join(", ")}`;
  const importFrom = (directory: string) => ["/usr/bin/python3", "-I", "-S", "-c", code, `${directory}/${site}`];
  await Deno.mkdir(`${node}/mounted`);
  const mount = { from: `${scratch}/sif/env.sqsh`, squashfuse: squashfuse!.program, path: `${node}/mounted` };
  const ways = {
    "slow home": importFrom(env),
    "scratch": importFrom(`${scratch}/BENCH_ENVIRONMENT`),
    "pack on scratch, mounted": [...privateMountWords(mount, Deno.uid()!, Deno.gid()!), ...importFrom(mount.path)],
    "disk of the node": importFrom(`${node}/env`),
  };
  const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let turn = 0; turn < Number(options.turns); turn++) {
    for (const [name, words] of Object.entries(ways)) seconds.get(name)!.push(await secondsOf(words));
  }
  print(`\n| import of ${packages.length} packages from | seconds |\n| --- | --- |`);
  for (const [name, all] of seconds) print(`| ${name} | ${median(all).toFixed(2)} |`);
}

/** Measures each command once, as the user who builds where there is one. */
async function table(title: string, commands: Readonly<Record<string, readonly string[]>>): Promise<void> {
  print(`\n| ${title} | seconds |\n| --- | --- |`);
  for (const [name, words] of Object.entries(commands)) {
    if (options.skip !== undefined && name.includes(options.skip)) continue;
    print(`| ${name} | ${(await secondsOf([...userWords(), ...words])).toFixed(2)} |`);
  }
}

function buildWords(definition: "tar" | "plain"): string {
  return `apptainer --silent build --fakeroot ${node}/${definition}.sif ${node}/${definition}.def`;
}

function userWords(): string[] {
  return builder === undefined ? [] : ["setpriv", `--reuid=${builder.uid}`, `--regid=${builder.gid}`, "--clear-groups"];
}

async function secondsOf(words: readonly string[]): Promise<number> {
  await must(["sh", "-c", "sync; echo 3 2>/dev/null >/proc/sys/vm/drop_caches || :"]);
  const start = performance.now();
  await must(words);
  return (performance.now() - start) / 1000;
}

async function must([program, ...args]: readonly string[]): Promise<void> {
  const surroundings = {
    ...{ HOME: home, SCRATCH: scratch, TMPDIR: `${node}/tmp`, APPTAINER_TMPDIR: `${node}/tmp` },
    ...{ EULER_FILES_CONFIG: `${node}/config.json`, LD_LIBRARY_PATH: squashfuse!.libraries },
  };
  const command = new Deno.Command(program!, { args, env: surroundings, stdout: "null", stderr: "piped" });
  const outcome = await command.output();
  if (!outcome.success) throw new Error(`${program} failed: ${new TextDecoder().decode(outcome.stderr)}`);
}
