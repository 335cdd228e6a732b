// A mount that only one program and its children see, in a mount namespace of their own (unshare(1)). It needs no right where the
// kernel lets users make namespaces, disturbs no other job of the node, and is gone when the program ends, however it ends.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** What to mount over an existing directory. */
export interface PrivateMount {
  /** A squashfs, or a directory. */
  readonly from: string;
  /** The program that mounts a squashfs; undefined for a directory. */
  readonly squashfuse: string | undefined;
  readonly path: string;
}

/** What the script ends with if it could not mount. */
const NOT_MOUNTED = 125;

// As root of a user namespace it mounts; then it goes on as the user in a namespace inside that one. squashfuse runs beside the
// program and is killed by the kernel when that ends. A mount is there when the directory is on another device.
const SCRIPT = `tool=$1 from=$2 path=$3 uid=$4 gid=$5; shift 5
if [ -n "$tool" ]; then
  before=$(stat -c %d -- "$path") || exit ${NOT_MOUNTED}
  setpriv --pdeathsig KILL -- "$tool" -f "$from" "$path" </dev/null >/dev/null 2>&1 &
  tries=0
  while [ "$(stat -c %d -- "$path")" = "$before" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 250 ] || ! kill -0 $! 2>/dev/null; then exit ${NOT_MOUNTED}; fi
    sleep 0.02
  done
else mount --bind -- "$from" "$path" 2>/dev/null || exit ${NOT_MOUNTED}; fi
exec unshare --user --map-user="$uid" --map-group="$gid" -- "$@"`;

/** The words that come before a command line which is to see the mount. Pure. */
export function privateMountWords({ from, squashfuse, path }: PrivateMount, userId: number, groupId: number): string[] {
  const words = ["unshare", "--map-root-user", "--mount", "--", "/bin/sh", "-c", SCRIPT, "sh"];
  return [...words, squashfuse ?? "", from, path, String(userId), String(groupId)];
}

/** Whether it can be done here: tries it with a program that does nothing. */
export async function canMountPrivately(mount: PrivateMount, system: System): Promise<boolean> {
  const [name, ...args] = [...privateMountWords(mount, system.userId, Deno.gid() ?? system.userId), "true"];
  const program = findProgram(name!, system.env);
  if (program === undefined || findProgram("setpriv", system.env) === undefined) return false;
  return (await spawn({ program, args, environment: "inherited" }, system)).code === 0;
}

/** The squashfuse on the PATH, or undefined. */
export function findSquashfuse(env: Readonly<Record<string, string>>): string | undefined {
  return findProgram("squashfuse_ll", env) ?? findProgram("squashfuse", env);
}
