// Environments by every maker and Python of this machine, moved in every way, and run afterwards. `deno task environments` tries
// them all; a test tries a few.
import { servePackages } from "../support/package_index.ts";
import { giveUv } from "../support/uv.ts";
import { makeWorld, type RunResult, type World } from "../support/world.ts";

/** What makes the environment and installs into it. */
export const MAKERS = ["uv", "uv --relocatable", "venv and pip", "virtualenv and pip"] as const;

/** How it gets to another path. */
export const WAYS = ["mv and fixup", "a link and fixup", "migrate venv_base", "venv migrate", "venv pack"] as const;

/** One case. */
export interface Combination {
  readonly maker: typeof MAKERS[number];
  /** A path. */
  readonly python: string;
  readonly way: typeof WAYS[number];
}

/** The Pythons that uv finds, the newest of each series from 3.9 on; it downloads none. */
export async function findPythons(): Promise<string[]> {
  await using world = await makeWorld();
  const env = { ...await giveUv(world), PATH: `${world.env.PATH}:${await pyenvDirectories()}`, UV_PYTHON: null };
  const listed = await world.exec("uv", ["python", "list", "--only-installed", "--output-format", "json"], { env });
  const bySeries = new Map<string, string>();
  for (const { version, path, implementation } of JSON.parse(listed.stdout || "[]") as FoundPython[]) {
    const series = version.split(".").slice(0, 2).join(".");
    const isWanted = implementation === "cpython" && Number(series.split(".")[1]) >= 9;
    // A shim is no Python.
    if (isWanted && !path.includes("/shims/") && !bySeries.has(series)) bySeries.set(series, path);
  }
  return [...bySeries.values()];
}

interface FoundPython {
  readonly version: string;
  readonly path: string;
  readonly implementation: string;
}

/** Pythons of pyenv are on no PATH. */
async function pyenvDirectories(): Promise<string> {
  const versions = `${Deno.env.get("HOME")}/.pyenv/versions`;
  const entries = await Array.fromAsync(Deno.readDir(versions)).catch(() => []);
  return entries.map(({ name }) => `${versions}/${name}/bin`).join(":");
}

/** Makes one environment, moves it and runs it. Returns what was not well, nothing if all was. */
export async function tryCombination(combination: Combination): Promise<string[]> {
  await using index = servePackages([{ name: "alpha", version: "1.0" }]);
  await using world = await makeWorld();
  const env = { ...await giveUv(world), UV_DEFAULT_INDEX: index.url, PIP_INDEX_URL: index.url, HF_TOKEN: "secret" };
  const options = { env, timeoutSeconds: 180 };
  const wrong: string[] = [];
  const check = (what: string, run: RunResult, stdout?: string) => {
    const isRight = run.code === 0 && (stdout === undefined || run.stdout === stdout);
    if (!isRight) wrong.push(`${what}: exit code ${run.code}: ${run.stdout}${run.stderr}`.trim().slice(-600));
    return isRight;
  };
  await world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif" } });
  await world.writeTree("home/src", {
    "pyproject.toml": '[project]\nname = "mine"\nversion = "0.1"\n[build-system]\nrequires = ["uv_build>=0.11,<1"]\n' +
      'build-backend = "uv_build"\n',
    "src/mine/__init__.py": "x = 5\n",
  });
  const path = world.path(combination.way === "a link and fixup" ? "home/real/env" : "home/venvs/env");
  for (const [program, args] of makingCommands(combination, path, world)) {
    if (!check(`${program} ${args.join(" ")}`, await world.exec(program, args, options))) return wrong;
  }
  const root = await move(
    combination,
    path,
    { world, indexUrl: index.url },
    (what, args) => world.run(args, options).then((run) => check(what, run)),
  );
  if (root === undefined) return wrong;
  const code = "import alpha, mine, sys; print(alpha.version, mine.x, sys.prefix)";
  const activated = `. '${root}/bin/activate' && alpha && echo "$VIRTUAL_ENV"`;
  const own = `1.0 5 ${root}\n`;
  if (combination.way === "venv pack") {
    check("run from its pack", await world.run(["venv", "run", "env", "--", "alpha"], options), "alpha 1.0\n");
    const run = await world.run(["venv", "run", "env", "--", "python", "-c", code], options);
    check("its Python from its pack", { ...run, stdout: run.stdout.replace(/\S+\n$/, "") }, "1.0 5 ");
  } else {
    check("its program", await world.exec(`${root}/bin/alpha`, []), "alpha 1.0\n");
    check("its Python", await world.exec(`${root}/bin/python`, ["-c", code]), own);
    // The scripts of a relocatable environment find their own directory, behind links.
    const shown = combination.maker === "uv --relocatable" ? await Deno.realPath(root) : root;
    check("activated", await world.shell("bash", activated), `alpha 1.0\n${shown}\n`);
  }
  return wrong;
}

function makingCommands({ maker, python }: Combination, path: string, world: World): [string, string[]][] {
  const project = world.path("home/src");
  const byUv: [string, string[]] = ["uv", ["pip", "install", "-q", "--python", path, "alpha", "-e", project]];
  const byPip: [string, string[]] = [`${path}/bin/python`, ["-m", "pip", "install", "-q", "alpha"]];
  // pip would have to get the build backend from an index; uv has it.
  const editable: [string, string[]] = ["uv", ["pip", "install", "-q", "--python", path, "-e", project]];
  switch (maker) {
    case "uv":
      return [["uv", ["venv", "-q", "--python", python, path]], byUv];
    case "uv --relocatable":
      return [["uv", ["venv", "-q", "--relocatable", "--python", python, path]], byUv];
    case "venv and pip":
      return [[python, ["-m", "venv", path]], byPip, editable];
    case "virtualenv and pip":
      return [
        ["uv", ["tool", "run", "--default-index", registry(), "virtualenv", "-q", "--python", python, path]],
        byPip,
        editable,
      ];
  }
}

/** virtualenv itself comes from the registry of this machine. */
function registry(): string {
  return Deno.env.get("UV_DEFAULT_INDEX") ?? Deno.env.get("PIP_INDEX_URL") ?? "https://pypi.org/simple";
}

type Do = (what: string, args: readonly string[]) => Promise<boolean>;

/** Moves it, so that nothing is left at its former path. Returns where it is; undefined if it could not be moved. */
async function move(
  { way }: Combination,
  path: string,
  { world, indexUrl }: { readonly world: World; readonly indexUrl: string },
  run: Do,
): Promise<string | undefined> {
  // An environment made by venv has a pip, which the registry of this machine has.
  const indexes = ["--index-url", registry(), "--extra-index-url", indexUrl];
  switch (way) {
    case "mv and fixup":
      await Deno.rename(path, world.path("home/venvs/moved"));
      return await run(way, ["apptainer", "fixup", "moved"]) ? world.path("home/venvs/moved") : undefined;
    case "a link and fixup":
      await Deno.rename(world.path("home/real"), world.path("home/other"));
      await world.writeTree("home/venvs", { env: { link: world.path("home/other/env") } });
      return await run(way, ["apptainer", "fixup", "env"]) ? world.path("home/venvs/env") : undefined;
    case "migrate venv_base":
      return await run(way, ["migrate", "venv_base", "--to", "~/elsewhere", "--yes"])
        ? world.path("home/elsewhere/env")
        : undefined;
    case "venv migrate":
      return await run(way, ["venv", "migrate", path, world.path("home/made/env"), "--delete-source", ...indexes])
        ? world.path("home/made/env")
        : undefined;
    case "venv pack":
      if (!await run(way, ["venv", "pack", "env"])) return undefined;
      await Deno.remove(path, { recursive: true });
      return path;
  }
}
