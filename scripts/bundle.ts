// The program as one JavaScript file, and what it may do: the same for the executable, for `dev` and for the tests.

/** Reading, writing and starting programs anywhere is its work; it never needs the network or foreign code. */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  // Not `--allow-run=rsync,…`: with names, Deno starts nothing while an LD_* variable is set, and `module load` sets them.
  "--allow-run",
  "--allow-sys=hostname,uid",
];

/** Where the project is, as a path without a slash at its end. */
export const PROJECT_DIRECTORY: string = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");

/** Bundles `entry` with all it imports into the file `output`. Throws an Error with Deno's own words. */
export async function bundle(output: string, entry = `${PROJECT_DIRECTORY}/main.ts`): Promise<void> {
  await runDeno(["bundle", "--quiet", "--frozen", "--output", output, entry]);
}

/** Runs a subcommand of this Deno in the project. Throws an Error with what it wrote if it fails. */
export async function runDeno(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: PROJECT_DIRECTORY,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno ${args[0]} failed:\n${new TextDecoder().decode(stderr).trim()}`);
}

/** Where things that can be fetched or made again are kept between runs. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME: cache, HOME: home } = Deno.env.toObject();
  return `${cache || `${home ?? "/root"}/.cache`}/euler-files-build`;
}
