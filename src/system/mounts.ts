// Reads the kernel's list of mounts (proc(5), /proc/PID/mounts).

/** A line of /proc/self/mounts. */
export interface Mount {
  readonly device: string;
  readonly directory: string;
  /** `nfs4`, `lustre`, `xfs`. */
  readonly type: string;
  /** `ro`, `nosuid` and so on, of the mount and of its file system. */
  readonly options: readonly string[];
}

/** The mount that a path is on, links not followed; undefined if that is unknown. */
export async function findMount(path: string): Promise<Mount | undefined> {
  return mountOf(await Deno.readTextFile("/proc/self/mounts").catch(() => ""), path);
}

/** Whether a directory is on a read-only mount; false if that is unknown. Unlike an attempt to write, changes nothing. */
export async function isReadOnly(path: string): Promise<boolean> {
  const real = await Deno.realPath(path).catch(() => path);
  return (await findMount(real))?.options.includes("ro") === true;
}

/** The mount that a path is on: the innermost one; of several on the same directory, the last. */
export function mountOf(mounts: string, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of mounts.split("\n")) {
    const [device = "", directory = "", type = "", options = ""] = line.split(" ").map(unescapeOctal);
    if (contains(directory, path) && directory.length >= (found?.directory.length ?? 0)) {
      found = { device, directory, type, options: options.split(",") };
    }
  }
  return found;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}

/** Whether a path is the mount's directory or below it. */
export function contains(directory: string, path: string): boolean {
  if (!directory.startsWith("/")) return false;
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}
