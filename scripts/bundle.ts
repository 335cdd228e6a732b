// Bundles the program into one JavaScript file, with its permissions: the same for the executable, for `dev` and for the tests.
import { relative } from "node:path";

/**
 * The permissions of the program. They don't restrict the program itself: it has to start programs and call libc, and each of
 * the two can do anything (docs.deno.com, "Security"). All are given, because with fewer Deno opens nothing below
 * /dev, and /dev/shm may be scratch. A test checks that the program makes no network connection (trace_test.ts).
 */
export const PERMISSIONS: readonly string[] = ["--no-prompt", "--allow-all"];

/** The directory of the project, as a path without a slash at its end. */
export const PROJECT_DIRECTORY: string = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");

/** The Workers with the names that job_runner.ts and watchdog.ts expect, in the directory of the file that starts them. */
export const WORKERS = [
  { entry: `${PROJECT_DIRECTORY}/src/transfer/worker.ts`, name: "worker.js" },
  { entry: `${PROJECT_DIRECTORY}/src/system/watchdog_worker.ts`, name: "watchdog.js" },
] as const;

/** Bundles `entry` with all its imports into the file `output`. Throws an Error with Deno's message. */
export async function bundle(
  output: string,
  entry = `${PROJECT_DIRECTORY}/main.ts`,
  names: "short" | "readable" = "readable",
): Promise<void> {
  const minify = names === "short" ? ["--minify"] : [];
  await runDeno(["bundle", "--quiet", "--frozen", ...minify, "--output", output, entry]);
  const { npmCache } = JSON.parse(await runDeno(["info", "--json"])) as { npmCache: string };
  await Deno.writeTextFile(output, withoutCachePaths(await Deno.readTextFile(output), npmCache));
}

/**
 * Bundles `entry` into `main.js` and chunks beside it in `directory`, which is made: a chunk is loaded when a command needs it,
 * so that a start doesn't parse what it won't use (a third of the time of a `sync` with everything fresh; short names save
 * another eighth). Returns the files.
 */
export async function bundleInChunks(directory: string, entry = `${PROJECT_DIRECTORY}/main.ts`): Promise<string[]> {
  await runDeno(["bundle", "--quiet", "--frozen", "--minify", "--code-splitting", "--outdir", directory, entry]);
  const { npmCache } = JSON.parse(await runDeno(["info", "--json"])) as { npmCache: string };
  const files: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    files.push(path);
    await Deno.writeTextFile(path, withoutCachePaths(await Deno.readTextFile(path), npmCache));
  }
  const renamed = await renameChunks(files);
  await refuseLostResources(entry, renamed);
  return renamed;
}

/**
 * Throws if the bundler has lost a `using`. With short names it inlines a variable that is used once, in the next statement,
 * there, and then forgets to dispose of it at the end of the block: of a lock, say, or a temporary directory.
 */
async function refuseLostResources(entry: string, files: readonly string[]): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-bundle-" });
  try {
    await runDeno(["bundle", "--quiet", "--frozen", "--code-splitting", "--outdir", directory, entry]);
    const readable = await Array.fromAsync(Deno.readDir(directory), ({ name }) => `${directory}/${name}`);
    const [written, kept] = await Promise.all([readable, files].map(countResources)) as [number, number];
    if (written === kept) return;
    throw new Error(
      `The bundler lost ${
        written - kept
      } of ${written} resources: one that is declared by \`using\` and used once, in the next ` +
        "statement, is never closed; close it in a `finally`. Two `using` one after the other count as one: separate them",
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function countResources(files: readonly string[]): Promise<number> {
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  return texts.reduce((sum, text) => sum + (text.match(/\busing [\w$]+ ?=/g)?.length ?? 0), 0);
}

const CHUNK_NAME = /\b([\w.]+)-[A-Z0-9]{8}\.js\b/g;

/** A chunk's name holds a hash of paths on this machine; replaces it by a hash of its content, so that builds are identical. */
async function renameChunks(files: readonly string[]): Promise<string[]> {
  const texts = new Map(await Promise.all(files.map(async (path) => [path, await Deno.readTextFile(path)] as const)));
  const byContent = [...texts].map(([path, text]) => ({ path, key: text.replaceAll(CHUNK_NAME, "$1.js") }))
    .filter(({ path }) => path.search(CHUNK_NAME) !== -1)
    .toSorted((one, other) => one.key < other.key ? -1 : 1);
  const names = new Map(byContent.map(({ path }, index) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return [name, name.replace(CHUNK_NAME, `$1-${String(index).padStart(3, "0")}.js`)];
  }));
  const renamed: string[] = [];
  for (const [path, text] of texts) {
    const [directory, name] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
    await Deno.remove(path);
    renamed.push(`${directory}/${names.get(name) ?? name}`);
    await Deno.writeTextFile(renamed.at(-1)!, text.replaceAll(CHUNK_NAME, (chunk) => names.get(chunk) ?? chunk));
  }
  return renamed;
}

/** Removes cache paths: a bundle names each package by its path in this machine's cache, but the executable must not. */
function withoutCachePaths(code: string, npmCache: string): string {
  const cache = RegExp.escape(relative(Deno.realPathSync(PROJECT_DIRECTORY), npmCache));
  // ../../.cache/deno/npm/REGISTRY/@scope/name/1.2.3/index.js
  return code.replaceAll(new RegExp(`${cache}/[^"\\s]*?/((?:@[^/"\\s]+/)?[^/"\\s]+/\\d+\\.)`, "g"), "npm/$1");
}

/** Runs a subcommand of this Deno in the project. Returns its stdout; throws an Error with its stderr. */
export async function runDeno(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: PROJECT_DIRECTORY,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno ${args[0]} failed:\n${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

/** The directory for files that can be fetched or made again, kept between runs. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME: cache, HOME: home } = Deno.env.toObject();
  return `${cache || `${home ?? "/root"}/.cache`}/euler-files-build`;
}
