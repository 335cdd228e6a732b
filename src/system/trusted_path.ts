// Whether other users could exchange a directory of ours or a component of its path. A directory that only we and root can
// write, and whose parents are all like that, stays the same between a check and its use, so later operations by path below it
// cannot be redirected (the rule of sshd's StrictModes, applied to each component and to each link on the way).
import { CliError, messageOf } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { isPrivateGroup } from "./private_group.ts";

/** The path to check. */
export interface PathCheck {
  /** Absolute. Missing components are no fault. */
  readonly path: string;
  /**
   * `path` or a directory above it. From there on each component must belong to us or root and be writable for no other user.
   * Above it a group may share a directory, as projects do; a world-writable one without the sticky bit is a fault.
   */
  readonly strictFrom: string;
  readonly userId: number;
}

/** A component through which other users could interfere. */
export interface PathFault {
  readonly path: string;
  readonly kind: "foreign" | "foreign-link" | "open" | "no-directory";
  /** Whether it belongs to us, so that we could fix its mode. */
  readonly isOurs: boolean;
}

interface Component {
  readonly name: string;
  readonly isStrict: boolean;
  /** Whether it is below `strictFrom`: then targets of links in it must follow the strict rule, too. */
  readonly isBelow: boolean;
}

/** The limit of the kernel (path_resolution(7)). */
const MOST_LINKS = 40;

/** The first fault of a path, or undefined. Throws errors of the kernel, except for a missing component. */
async function findPathFault({ path, strictFrom, userId }: PathCheck): Promise<PathFault | undefined> {
  const base = namesOf(strictFrom).length;
  const rest: Component[] = namesOf(path).map((name, index) => ({
    name,
    isStrict: index >= base - 1,
    isBelow: index >= base,
  }));
  const looks = lookAhead(rest.map(({ name }) => name));
  let [above, aboveOwner, links] = ["", 0, 0];
  for (let component = rest.shift(); component !== undefined; component = rest.shift()) {
    if (component.name === "..") {
      above = above.slice(0, above.lastIndexOf("/"));
      continue;
    }
    const here = `${above}/${component.name}`;
    const info = await (links === 0 ? looks.get(here)! : lstatIfPathExists(here));
    if (info instanceof Error) throw info;
    if (info === undefined) return undefined;
    const owner = info.uid ?? userId;
    const isTrusted = owner === userId || owner === 0;
    const fault = (kind: PathFault["kind"]): PathFault => ({ path: here, kind, isOurs: owner === userId });
    if (info.isSymlink) {
      if (!isTrusted && (component.isStrict || owner !== aboveOwner)) return fault("foreign-link");
      if (++links > MOST_LINKS) return fault("no-directory");
      const target = await Deno.readLink(here);
      const names = namesOf(target);
      rest.unshift(...names.map((name, index) => ({
        name,
        isStrict: component!.isBelow || (component!.isStrict && index === names.length - 1),
        isBelow: component!.isBelow,
      })));
      if (target.startsWith("/")) above = "";
      continue;
    }
    if (!info.isDirectory) return fault("no-directory");
    if (component.isStrict && !isTrusted) return fault("foreign");
    if (isOpen(info, component.isStrict)) return fault("open");
    [above, aboveOwner] = [here, owner];
  }
  return undefined;
}

/** Calls lstat(2) for all components at the same time: each call waits for a server, and most paths have no link. */
function lookAhead(names: readonly string[]): Map<string, Promise<Deno.FileInfo | Error | undefined>> {
  let path = "";
  return new Map(names.map((name) => {
    path += `/${name}`;
    // An error matters only if the walk reaches this component.
    return [path, lstatIfPathExists(path).catch((error: Error) => error)];
  }));
}

/** Whether other users can exchange the entries of a directory. */
function isOpen({ mode, gid }: Deno.FileInfo, isStrict: boolean): boolean {
  const bits = mode ?? 0;
  if ((bits & 0o1000) !== 0) return false;
  if ((bits & 0o002) !== 0) return true;
  return isStrict && (bits & 0o020) !== 0 && !isPrivateGroup(gid ?? 0);
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** Undefined also if a part of the path is no directory. */
async function lstatIfPathExists(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/**
 * Throws a CliError if other users can exchange the entries of a directory that we only read. The directory may belong to
 * another user, whom the person trusts by naming the directory.
 */
export async function refuseOpenDirectory(path: string, userId: number): Promise<void> {
  const fault = await findPathFault({ path, strictFrom: path, userId }).catch(() => undefined);
  if (fault?.kind === "open") await refuseSharedDirectory(path, userId);
}

/** Throws a CliError for the first fault: `refused`, with the steps that make the path safe; `advice` is for foreign paths. */
export async function refuseUntrusted(check: PathCheck, advice: string): Promise<void> {
  const fault = await findPathFault(check).catch((error) => {
    throw new CliError("file-system", `Cannot use "${check.path}": ${messageOf(error)}`, { cause: error });
  });
  if (fault === undefined) return;
  throw new CliError("refused", `Cannot use "${check.path}": ${describeFault(fault, check.path)}`, {
    hint: fault.kind === "open" && fault.isOurs ? closingSteps(fault.path) : advice,
  });
}

/** The same for a directory that the user chose and that we write to: it must be ours; its parents are up to the user. */
export async function refuseSharedDirectory(path: string, userId: number): Promise<void> {
  await refuseUntrusted({ path, strictFrom: path, userId }, "choose a directory of your own that only you can write");
}

/** True if no other user can exchange the entries of a directory, or it does not exist. */
export async function isTrustedDirectory(path: string, userId: number): Promise<boolean> {
  return await findPathFault({ path, strictFrom: path, userId }).then((fault) => fault === undefined, () => false);
}

function describeFault({ path, kind }: PathFault, asked: string): string {
  const what = path === asked ? "it" : `"${path}"`;
  switch (kind) {
    case "foreign":
      return `${what} belongs to another user`;
    case "foreign-link":
      return `${what} is a symbolic link of another user`;
    case "open":
      return `other users can write in ${path === asked ? "it" : what}`;
    case "no-directory":
      return `${what} is not a directory`;
  }
}

/** The steps that make a directory safe, with a look at its entries: other users may have added some. */
function closingSteps(path: string): string {
  const word = shellWord(path);
  return `run \`chmod go-w ${word}\`, then look for what is not yours (\`find ${word} -maxdepth 1 ! -user "$(id -u)"\`) ` +
    "or leads elsewhere (`-type l`), and remove it";
}
