// Tells a new source from one whose file system is not mounted. A source is new if its parent directory exists, or if it is the
// default of a well-known variable below an existing home directory: before Triton runs for the first time, `~/.triton` does
// not exist either, so `~/.triton/cache` counts as new.
import { dirname } from "node:path/posix";
import { defaultSource, PRESETS } from "../config/presets.ts";
import { lstatIfExists } from "../system/existence.ts";
import { readNames } from "../posix/read_names.ts";

/** The source, its variable's name and the environment. */
export interface AbsentSourceRequest {
  readonly name: string;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Whether a source's parent directory exists or can be made; `dangling`: the source is a link that leads nowhere. */
export async function lookAbove(
  { name, source, env }: AbsentSourceRequest,
): Promise<"exists" | "missing" | "dangling"> {
  const [link, above] = await Promise.all([lstatIfExists(source), directoryAt(dirname(source))]);
  if (link?.isSymlink) return "dangling";
  if (above !== undefined) return "exists";
  const { HOME: home } = env;
  return home !== undefined && isDefault(name, source, env) && await isMissingBelow(home, source)
    ? "exists"
    : "missing";
}

function isDefault(name: string, source: string, env: Readonly<Record<string, string>>): boolean {
  const preset = PRESETS.find((one) => one.name === name);
  if (preset === undefined) return false;
  return [env, {}].some((known) => defaultSource(preset, known)?.replace(/^~(?=\/)/, env.HOME!) === source);
}

/**
 * Whether a path is below a home directory that is mounted (it exists and is not empty), and its nearest existing parent is on
 * the same file system.
 */
async function isMissingBelow(home: string, path: string): Promise<boolean> {
  if (!path.startsWith(`${home}/`)) return false;
  const self = await directoryAt(home);
  if (self === undefined || (await countNames(home)) === 0) return false;
  let above = dirname(path);
  // Stop at a dangling link: its target may be on another file system that is not mounted.
  while (above !== home && await lstatIfExists(above) === undefined) above = dirname(above);
  return (await directoryAt(above))?.dev === self.dev;
}

async function countNames(directory: string): Promise<number> {
  return await readNames(directory).then(({ size }) => size, () => 0);
}

async function directoryAt(path: string): Promise<Deno.FileInfo | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.isDirectory ? info : undefined;
}
