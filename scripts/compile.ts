// Makes the executable: `deno task compile [--target TARGET] [--output FILE]`, by default dist/euler-files for this machine.
// The same sources give the same bytes, on every machine and at any time.
import { parseArgs } from "node:util";
import { bundle, bundleInChunks, PERMISSIONS, PROJECT_DIRECTORY, runDeno, WORKERS } from "./bundle.ts";
import { findDenort, type Target, TARGETS } from "./denort.ts";
import { tell } from "./prepare.ts";

/** What to make. */
export interface CompileRequest {
  readonly target: Target;
  /** The path of the executable. */
  readonly output: string;
  /** An entry other than the program's, for measuring. */
  readonly entry?: string;
}

/** `deno compile` keeps each file's time stamp in the executable: the bundle gets this one (SOURCE_DATE_EPOCH's default). */
const BUNDLE_TIME = new Date(0);

/** Bundles the program and compiles the bundle. Throws an Error that says which step failed and why. */
export async function compile(request: CompileRequest): Promise<void> {
  const denort = await findDenort(request.target);
  const directory = await Deno.makeTempDir({ prefix: "euler-files-compile-" });
  try {
    // The executable holds all chunks: at run time nothing is resolved, fetched or read but the executable itself.
    const bundled = `${directory}/bundle`;
    const files = await bundleInChunks(bundled, request.entry);
    for (const { entry, name } of WORKERS) await bundle(`${bundled}/${name}`, entry, "short");
    const workers = WORKERS.map(({ name }) => `${bundled}/${name}`);
    files.push(...workers);
    for (const file of files) await Deno.utime(file, BUNDLE_TIME, BUNDLE_TIME);
    const script = `${bundled}/${(request.entry ?? "main.ts").replace(/^.*\//, "").replace(/\.[^.]+$/, "")}.js`;
    const made = `${directory}/euler-files`;
    await runDeno([
      "compile",
      "--quiet",
      "--no-check",
      "--no-config",
      "--no-lock",
      "--no-remote",
      "--no-npm",
      // With a code cache the executable would run code it finds in $TMPDIR, even if another user put it there.
      "--no-code-cache",
      // A comparison makes many short-lived strings; collecting V8's first 1 MB of them so often takes 8% (10,000 files).
      "--v8-flags=--min-semi-space-size=16",
      ...PERMISSIONS,
      `--target=${request.target}`,
      `--output=${made}`,
      ...workers.map((worker) => `--include=${worker}`),
      script,
    ], { DENORT_BIN: denort });
    await Deno.mkdir(request.output.slice(0, request.output.lastIndexOf("/")), { recursive: true });
    // A rename, not a write, because the old executable may be running.
    const beside = `${request.output}.${crypto.randomUUID()}`;
    await Deno.copyFile(made, beside);
    await Deno.chmod(beside, 0o755);
    await Deno.rename(beside, request.output);
    await writeSum(request.output);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes the checksum of a file into SHA256SUMS beside it, for `sha256sum -c`; lines of other files stay. */
async function writeSum(path: string): Promise<void> {
  const [directory, name] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path)));
  const sums = `${directory}/SHA256SUMS`;
  const before = await Deno.readTextFile(sums).catch(() => "");
  const others = before.split("\n").filter((line) => line !== "" && !line.endsWith(`  ${name}`));
  await Deno.writeTextFile(sums, [...others, `${digest.toHex()}  ${name}`].toSorted(byName).join("\n") + "\n");
}

function byName(one: string, other: string): number {
  return one.slice(64) < other.slice(64) ? -1 : 1;
}

function readRequest(argv: readonly string[]): CompileRequest {
  const { values } = parseArgs({
    args: [...argv],
    options: { target: { type: "string" }, output: { type: "string" } },
  });
  const own = `${Deno.build.arch}-unknown-linux-gnu`;
  const target = TARGETS.find((name) => name === (values.target ?? own));
  if (target === undefined) throw new Error(`no such target; there are ${TARGETS.join(", ")}`);
  const suffix = target === own ? "" : `-${target}`;
  const output = new URL(values.output ?? `dist/euler-files${suffix}`, `file://${PROJECT_DIRECTORY}/`).pathname;
  return { target, output: decodeURIComponent(output) };
}

if (import.meta.main) {
  try {
    const request = readRequest(Deno.args);
    await compile(request);
    const { size } = await Deno.stat(request.output);
    tell([`${request.output}: ${Math.round(size / 1e6)} MB for ${request.target}`]);
  } catch (error) {
    tell([`error: ${error instanceof Error ? error.message : String(error)}`]);
    Deno.exit(1);
  }
}
