// Wrappers: small programs named like those in an environment's `bin`, which stage and run its image, so that scripts and editors
// can call them like those. A file that is not a wrapper of the same image is never replaced or removed.
import { type AbsolutePath, toAbsolutePath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { lstatIfExists } from "../system/existence.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { listSome, shellWord } from "../text/format.ts";
import type { ImageRecord } from "./setting.ts";
import { readNamesIfExists } from "../posix/read_names.ts";

/** What the wrappers of one image start. */
export interface WrappedImage {
  readonly name: string;
  /** The program and options that come before `apptainer exec`. */
  readonly caller: readonly string[];
  /** The environment's `bin` in the container. */
  readonly binInside: string;
  /** A test for sh that is true in a container of this image. */
  readonly isInside: string;
  /** A pack runs without a container where there is no Apptainer. */
  readonly kind: "image" | "pack";
}

/** What has to be done in one directory of wrappers. */
export interface WrapperPlan {
  /** The name of the image. */
  readonly image: string;
  readonly directory: AbsolutePath;
  /** Texts of the wrappers to write, by name. */
  readonly write: ReadonlyMap<string, string>;
  readonly unchanged: readonly string[];
  /** Wrappers of this image whose program is gone. */
  readonly stale: readonly string[];
  /** Programs whose names are taken by files that are no wrappers of this image. */
  readonly foreign: readonly string[];
}

/** The second line of a wrapper, which is how it is recognized. */
const OWN_LINE_REGEXP = /^#!\/bin\/sh\n# A wrapper made by euler-files for the image ("(?:[^"\\\n]|\\.)*")\./;

/** No wrapper is longer. */
const MOST_BYTES = 64 * 1024;

/** The text of the wrapper of one program. Pure. */
export function wrapperText({ name, caller, binInside, isInside, kind }: WrappedImage, program: string): string {
  const [executable = "euler-files", ...options] = caller;
  const inside = shellWord(`${binInside}/${program}`);
  const call = (...verb: string[]) => [...options, ...verb, name, "--"].map(shellWord).join(" ");
  return [
    "#!/bin/sh",
    `# A wrapper made by euler-files for the image ${JSON.stringify(name)}. A build writes it again, prune removes it.`,
    `inside=${inside}`,
    `if ${isInside} && [ -x "$inside" ]; then exec "$inside" "$@"; fi`,
    `euler_files=${shellWord(executable)}`,
    '[ -x "$euler_files" ] || euler_files=euler-files',
    ...(kind === "image" ? [] : [
      "if ! command -v apptainer >/dev/null 2>&1 && ! command -v singularity >/dev/null 2>&1; then",
      `  exec "$euler_files" ${call("venv", "run")} ${shellWord(program)} "$@"`,
      "fi",
    ]),
    `exec "$euler_files" ${call("apptainer", "exec")} "$inside" "$@"`,
    "",
  ].join("\n");
}

/** Compares a directory with the programs. Reads only. */
export async function planWrappers(
  directory: AbsolutePath,
  image: WrappedImage,
  programs: readonly string[],
): Promise<WrapperPlan> {
  const write = new Map<string, string>();
  const [unchanged, foreign]: [string[], string[]] = [[], []];
  const own = await ownWrappers(directory, image.name);
  for (const program of programs) {
    const text = wrapperText(image, program);
    if (own.get(program) === text) unchanged.push(program);
    else if (own.has(program) || await lstatIfExists(`${directory}/${program}`) === undefined) {
      write.set(program, text);
    } else foreign.push(program);
  }
  return {
    image: image.name,
    directory,
    write,
    unchanged,
    stale: [...own.keys()].filter((name) => !programs.includes(name)),
    foreign,
  };
}

/** The texts of an image's wrappers in a directory, by name; none if there is no directory. Throws a CliError `file-system`. */
async function ownWrappers(directory: string, image: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  try {
    for (const [name, kind] of await readNamesIfExists(directory) ?? []) {
      const text = kind === "f" ? await readOwn(`${directory}/${name}`) : undefined;
      if (text !== undefined && isWrapperOf(image, text)) found.set(name, text);
    }
  } catch (error) {
    throw new CliError("file-system", `Cannot read "${directory}": ${messageOf(error)}`, { cause: error });
  }
  return new Map([...found].sort(([one], [other]) => one < other ? -1 : 1));
}

function isWrapperOf(image: string, text: string): boolean {
  return OWN_LINE_REGEXP.exec(text)?.[1] === JSON.stringify(image);
}

async function readOwn(path: string): Promise<string | undefined> {
  const info = await lstatIfExists(path);
  if (!info?.isFile || info.size > MOST_BYTES || (info.uid !== null && info.uid !== Deno.uid())) return undefined;
  return await Deno.readTextFile(path).catch(() => undefined);
}

/** The error for programs whose names are taken. */
export function foreignError({ directory, foreign }: WrapperPlan): CliError {
  return new CliError(
    "refused",
    `Cannot write wrappers to "${directory}": files that are none of this image have the names ${listSome(foreign)}`,
    { hint: "choose a directory of its own with --dir" },
  );
}

/** Writes and removes what the plan says. Throws a CliError `file-system`. */
export async function writeWrappers({ image, directory, write, stale }: WrapperPlan, mode: number): Promise<void> {
  if (write.size > 0) await Deno.mkdir(directory, { recursive: true }).catch((error) => cannotWrite(directory, error));
  for (const [program, text] of write) await writeWrapper(image, `${directory}/${program}`, text, mode);
  for (const program of stale) await Deno.remove(`${directory}/${program}`);
  await sweepDirectory(directory);
}

async function writeWrapper(image: string, path: string, content: string, mode: number): Promise<void> {
  const before = await readOwn(path);
  if (before !== undefined && isWrapperOf(image, before)) {
    return await writeFileAtomically({ path, content, mode, durability: "fast" });
  }
  // link(2) fails if another program made a file of that name meanwhile, where rename(2) would replace it.
  const temporary = temporaryBeside(path, "write");
  try {
    await Deno.writeTextFile(temporary, content, { createNew: true });
    await Deno.chmod(temporary, mode);
    await Deno.link(temporary, path);
  } catch (error) {
    cannotWrite(path, error);
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

function cannotWrite(path: string, error: unknown): never {
  throw new CliError("file-system", `Cannot write "${path}": ${messageOf(error)}`, { cause: error });
}

/** The names of an image's wrappers in a directory. */
export async function listWrappers(directory: string, image: string): Promise<string[]> {
  return [...(await ownWrappers(directory, image)).keys()];
}

/** Removes an image's wrappers, and the directory if nothing else is in it; returns their names. */
export async function removeWrappers(directory: string, image: string): Promise<string[]> {
  const names = await listWrappers(directory, image);
  for (const name of names) await Deno.remove(`${directory}/${name}`);
  // Fails if the directory has other files. A link to a directory is not removed: that would not fail.
  if ((await lstatIfExists(directory))?.isDirectory) await Deno.remove(directory).catch(() => {});
  return names;
}

/** The directories that the configuration records for an image. */
export function wrapperDirectories(record: ImageRecord | undefined, { env }: Pick<System, "env">): AbsolutePath[] {
  return (record?.wrapper_dirs ?? []).map((path) =>
    toAbsolutePath(path, env, { label: "wrapper_dirs", kind: "config" })
  );
}
