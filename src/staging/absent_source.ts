// A source that is not there: is it new, or is its file system not mounted? It is new where the directory that it belongs into
// exists, and where it is the default of a well-known variable below a home directory that does: `~/.triton/cache` lacks `~/.triton`
// as well before Triton runs for the first time.
import { dirname } from "node:path/posix";
import { defaultSource, PRESETS } from "../config/presets.ts";

/** What looking at it needs. */
export interface AbsentSourceRequest {
  readonly name: string;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Whether the directory that a source belongs into exists or can be made; `dangling`: the source is a link to nothing. */
export async function lookAbove(
  { name, source, env }: AbsentSourceRequest,
): Promise<"exists" | "missing" | "dangling"> {
  const [link, above] = await Promise.all([lstatIfThere(source), directoryAt(dirname(source))]);
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

/** Whether a home directory is there, and the directories of a path below it are missing without a sign of another file system. */
async function isMissingBelow(home: string, path: string): Promise<boolean> {
  if (!path.startsWith(`${home}/`)) return false;
  const self = await directoryAt(home);
  if (self === undefined || (await namesIn(home)) === 0) return false;
  let above = dirname(path);
  // A link that leads nowhere is a sign of one.
  while (above !== home && await lstatIfThere(above) === undefined) above = dirname(above);
  return (await directoryAt(above))?.dev === self.dev;
}

async function namesIn(directory: string): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(directory)).catch(() => [])).length;
}

async function directoryAt(path: string): Promise<Deno.FileInfo | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  return info?.isDirectory ? info : undefined;
}

async function lstatIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}
