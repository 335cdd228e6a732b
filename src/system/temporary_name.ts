// Names for what a killed process can leave behind. The name contains its owner: `.euler-files-KIND.HOST.PID-NAMESPACE.RANDOM`.
// A sweep removes only names of exactly this form. Trees that a later transfer continues have other prefixes (`ownedName`).
import { splitAbsolute } from "../posix/file_names.ts";
import { isDeadHere, pidNamespace, type ProcessName } from "./dead_process.ts";
import { readNames } from "../posix/read_names.ts";

/** The parts of a temporary name. */
export interface TemporaryName extends ProcessName {
  /** Its purpose, in small letters: `write`, `removing`. */
  readonly kind: string;
}

const KIND = /^\.euler-files-([a-z]+)(?=\.)/;
const OWNER = /^\.([A-Za-z0-9._-]{1,64})\.(\d+)-(\d+)\.[0-9a-f]{8}$/;

/** If the owner cannot be checked, because it ran on another node, it counts as ended after this time. */
const ABANDONED_MILLISECONDS = 24 * 3600 * 1000;

/** A new name of this process. It is ASCII and shorter than 150 bytes; `kind` is `[a-z]+`. */
export function temporaryName(kind: string, processId: number = Deno.pid): string {
  return ownedName(`.euler-files-${kind}`, processId);
}

/** A new name of this process that begins with a prefix: `PREFIX.HOST.PID-NAMESPACE.RANDOM`. */
export function ownedName(prefix: string, processId: number = Deno.pid): string {
  const random = crypto.randomUUID().slice(0, 8);
  return `${prefix}.${ownHost()}.${processId}-${pidNamespace()}.${random}`;
}

/** The process in such a name, or undefined if the name is not of this form. */
export function ownerOf(name: string, prefix: string): ProcessName | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const [, host, pid, namespace] = OWNER.exec(name.slice(prefix.length)) ?? [];
  return host === undefined ? undefined : { host, pid: Number(pid), pidNamespace: Number(namespace) };
}

/** Whether the process in such a name is known to have ended; false also if that is unknown. */
export async function hasOwnerEnded(owner: ProcessName): Promise<boolean> {
  return await isDeadHere(owner, { hostName: ownHost() });
}

/** A new temporary name in the same directory as a path. */
export function temporaryBeside(path: string, kind: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1) + temporaryName(kind);
}

/** The parts of a temporary name, or undefined if the name is not of this form. */
export function parseTemporaryName(name: string): TemporaryName | undefined {
  const [prefix, kind] = KIND.exec(name) ?? [];
  const owner = prefix === undefined ? undefined : ownerOf(name, prefix);
  return kind === undefined || owner === undefined ? undefined : { kind, ...owner };
}

/**
 * Whether a path with a temporary name was abandoned: it belongs to this user, and its process has ended or, if that is
 * unknown, neither the path nor anything directly in it has changed for a day. False for any other name and if unreadable.
 */
export async function isAbandoned(path: string, now: number = Date.now()): Promise<boolean> {
  const owner = parseTemporaryName(splitAbsolute(path)[1]);
  if (owner === undefined) return false;
  try {
    const info = await Deno.lstat(path);
    if (info.uid !== Deno.uid()) return false;
    if (await hasOwnerEnded(owner)) return true;
    if (owner.host === ownHost() && owner.pidNamespace === pidNamespace()) return false;
    if (now - modifiedAt(info) < ABANDONED_MILLISECONDS) return false;
    return !info.isDirectory || now - await newestIn(path) >= ABANDONED_MILLISECONDS;
  } catch {
    return false;
  }
}

/** The host name, with all characters that our file names do not allow replaced. */
function ownHost(): string {
  return Deno.hostname().replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 64) || "_";
}

/** The newest mtime in a directory, whose own mtime does not change when a file in it is written. */
async function newestIn(directory: string): Promise<number> {
  let newest = 0;
  for (const name of (await readNames(directory)).keys()) {
    newest = Math.max(newest, modifiedAt(await Deno.lstat(`${directory}/${name}`)));
  }
  return newest;
}

function modifiedAt({ mtime }: Deno.FileInfo): number {
  return mtime?.getTime() ?? Infinity;
}
