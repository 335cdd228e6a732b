// Reads the facts about one variable: source, target and marker. Changes nothing and decides nothing.
import { messageOf } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { PARTIAL_DIRECTORY } from "../transfer/own_names.ts";
import { type AbsentSourceRequest, lookAbove } from "./absent_source.ts";
import { layoutOf } from "../variables/layout.ts";
import { type Marker, type MarkerAbsence, readMarker } from "./marker.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";
import { lstatIfExists } from "../system/existence.ts";

/** An existing source, as far as freshness looks at it: the directory and its direct children. */
export interface SourceDirectory {
  readonly state: "directory";
  /** Changes if a direct child is added, removed, replaced or gets another modification time or size. */
  readonly fingerprint: string;
  readonly inode: number;
  /** The newest modification time of the directory and its direct children: `source_mtime` of older versions. */
  readonly newestMtimeSeconds: number;
  /** The directory's own time: the only sign of a child whose name is not UTF-8, since `names` lacks it. */
  readonly mtimeMilliseconds: number;
  readonly names: readonly string[];
  /** For each name a text that changes when the entry does. */
  readonly children: ReadonlyMap<string, string>;
}

/** The source as observed. */
export type SourceFacts =
  | SourceDirectory
  /** `parent`: whether its parent directory exists or can be made; `missing`: it is most likely not mounted. */
  | { readonly state: "missing"; readonly parent: "exists" | "missing" }
  | { readonly state: "unusable"; readonly reason: string };

/** An existing target: which directory it is and the names at its top level. */
export interface TargetDirectory {
  readonly state: "directory";
  readonly device: number;
  readonly inode: number;
  /** Changes if a name is added or removed. */
  readonly mtimeMilliseconds: number;
  /** `as marked`: no name was added or removed since the marker was written, so the directory was not listed again. */
  readonly names: ReadonlySet<string> | "as marked";
}

/** The target as observed. */
export type TargetFacts =
  | TargetDirectory
  | { readonly state: "missing" }
  | { readonly state: "unusable"; readonly reason: string };

/** All facts about a variable at one time. */
export interface VariableFacts {
  readonly source: SourceFacts;
  readonly target: TargetFacts;
  readonly marker: Marker | MarkerAbsence;
  /** Files of the marker's sample that the target no longer has. */
  readonly purgedSample: readonly string[];
}

/** Reads the facts of one variable, as many as possible at the same time, since each operation waits for a server. */
export async function observeVariable(
  { name, source: path }: Pick<Variable, "name" | "source">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  { userId, env }: Pick<System, "userId" | "env">,
): Promise<VariableFacts> {
  const layout = layoutOf(cacheRoot, name);
  const reading = readMarker(layout.marker, userId);
  const [source, [marker, purgedSample, target]] = await Promise.all([
    observeSource({ name, source: path, env }, reading),
    Promise.all([reading, lookAtTarget(layout.target, userId)])
      .then(async ([marker, look]) => {
        const sample = typeof marker === "string" ? [] : marker.sample;
        const found = await Promise.all([
          probeSample(layout.target, sample),
          observeTarget(layout.target, look, marker),
        ]);
        return [marker, ...found] as const;
      }),
  ]);
  return { source, target, marker, purgedSample };
}

/** Reads the facts about the target alone; its names are listed. */
export async function observeTargetOf(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  { userId }: Pick<System, "userId">,
): Promise<TargetFacts> {
  const { target } = layoutOf(cacheRoot, name);
  return await observeTarget(target, await lookAtTarget(target, userId), "missing");
}

/** Reads the source directory and its children. It is not listed if the marker has its names and its time is unchanged. */
export async function observeSource(
  request: AbsentSourceRequest,
  marker?: Promise<Marker | MarkerAbsence>,
): Promise<SourceFacts> {
  const { source: path } = request;
  try {
    const [self, known] = await Promise.all([Deno.stat(path), marker]);
    const mtimeMilliseconds = self.mtime?.getTime() ?? 0;
    // List after reading the directory's time, so that a name added after the listing changes that time.
    const names = namesAsMarked(path, mtimeMilliseconds, known) ?? await namesIn(path);
    names.sort();
    const children = new Map<string, string>();
    let newest = mtimeMilliseconds;
    const infos = await Promise.all(names.map((name) => lstatIfExists(`${path}/${name}`)));
    infos.forEach((info, index) => {
      // Deleted between readdir and lstat, for example another program's temporary file.
      if (info === undefined) return;
      const mtime = info.mtime?.getTime() ?? 0;
      newest = Math.max(newest, mtime);
      children.set(names[index]!, `${info.ino}\0${mtime}\0${info.isFile ? info.size : ""}`);
    });
    const lines = [...children].map(([name, text]) => `${name}\0${text}`);
    return {
      state: "directory",
      fingerprint: await shortHash([mtimeMilliseconds, ...lines].join("\n")),
      inode: self.ino ?? 0,
      newestMtimeSeconds: newest / 1000,
      mtimeMilliseconds,
      names: [...children.keys()],
      children,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return await absentSource(request);
    const file = error instanceof Deno.errors.NotADirectory;
    return { state: "unusable", reason: file ? "it is not a directory" : messageOf(error).toLowerCase() };
  }
}

/** A marker lists at most this many names. */
const MOST_NAMES = 64;

/** Two changes within this time may get the same mtime. `seconds` is for an mtime without a fraction of a second. */
const SAME_TIME_MILLISECONDS = { fine: 100, seconds: 3000 };

/**
 * A source's names for a marker. Empty if there are many, or if a change after the listing could have left the mtime as it is:
 * the directory was modified shortly before the given time, which is before the source was observed.
 */
export function markedListing(
  { mtimeMilliseconds, names }: SourceDirectory,
  beforeMilliseconds: number,
): Pick<Marker, "source_listing"> {
  const window = SAME_TIME_MILLISECONDS[mtimeMilliseconds % 1000 === 0 ? "seconds" : "fine"];
  if (names.length > MOST_NAMES || beforeMilliseconds - mtimeMilliseconds < window) return {};
  return { source_listing: { mtime: mtimeMilliseconds, names: [...names] } };
}

function namesAsMarked(
  path: string,
  mtimeMilliseconds: number,
  marker: Marker | MarkerAbsence | undefined,
): string[] | undefined {
  if (typeof marker !== "object" || marker.source !== path) return undefined;
  const { source_listing: listing } = marker;
  return listing?.mtime === mtimeMilliseconds ? [...listing.names] : undefined;
}

async function absentSource(request: AbsentSourceRequest): Promise<SourceFacts> {
  const parent = await lookAbove(request);
  if (parent === "dangling") return { state: "unusable", reason: "it is a symbolic link that leads nowhere" };
  return { state: "missing", parent };
}

/** Names at the source's top level that the target lacks. */
export function namesLacking(source: SourceDirectory, target: TargetDirectory): readonly string[] {
  const { names } = target;
  return names === "as marked" ? [] : source.names.filter((name) => !names.has(name));
}

/**
 * The names in a directory, by Deno.readDir: each start of a job lists here, and our own calls take time to load. Where the kernel
 * reports an error, Deno.readDir ends its list early. Then names are missing, which counts as a change, and the transfer, which
 * lists by our own calls, finds the error.
 */
async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) if (entry.name !== PARTIAL_DIRECTORY) names.push(entry.name);
  return names;
}

type TargetLook = Deno.FileInfo | Exclude<TargetFacts, TargetDirectory>;

async function lookAtTarget(path: string, userId: number): Promise<TargetLook> {
  try {
    // Never use a link or another user's directory: jobs would read files that are not ours.
    const info = await Deno.lstat(path);
    if (info.isSymlink) return { state: "unusable", reason: "it is a symbolic link" };
    if (!info.isDirectory) return { state: "unusable", reason: "it is not a directory" };
    if (info.uid !== null && info.uid !== userId) return { state: "unusable", reason: "it belongs to another user" };
    return info;
  } catch (error) {
    return absentTarget(error);
  }
}

/** Lists the directory, unless it has the time in the marker: then no name was added or removed since. */
async function observeTarget(path: string, look: TargetLook, marker: Marker | MarkerAbsence): Promise<TargetFacts> {
  if ("state" in look) return look;
  const inode = look.ino ?? 0;
  const mtimeMilliseconds = look.mtime?.getTime() ?? 0;
  const isAsMarked = typeof marker !== "string" && marker.target_inode === inode &&
    marker.target_mtime === mtimeMilliseconds;
  try {
    const names = isAsMarked ? "as marked" : new Set(await namesIn(path));
    return { state: "directory", device: look.dev, inode, mtimeMilliseconds, names };
  } catch (error) {
    return absentTarget(error);
  }
}

function absentTarget(error: unknown): Exclude<TargetFacts, TargetDirectory> {
  if (error instanceof Deno.errors.NotFound) return { state: "missing" };
  return { state: "unusable", reason: messageOf(error) };
}

/** The files to check at each use: the oldest one, which a purge by age removes first, and a random other one. */
function probesOf([oldest, ...others]: readonly string[]): readonly string[] {
  const other = others[Math.floor(Math.random() * others.length)];
  return [oldest, other].filter((path) => path !== undefined);
}

async function probeSample(target: string, sample: readonly string[]): Promise<readonly string[]> {
  const probed = probesOf(sample);
  const found = await Promise.all(
    probed.map((path) => Deno.lstat(`${target}/${path}`).then(() => true, (e) => !(e instanceof Deno.errors.NotFound))),
  );
  return probed.filter((_, index) => !found[index]);
}

async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
