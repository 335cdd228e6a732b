// System calls of a file system that changes what is written below one directory: coarse times, names without case, no
// modes, no links, no large files. A stand-in for FAT and NTFS on machines that cannot mount them.
import { basename } from "node:path";
import { type Answer, type Bytes, type Calls } from "../../src/posix/calls.ts";
import { EFBIG, EINVAL, EPERM } from "../../src/posix/errno.ts";
import { faultyCalls } from "./faulty_calls.ts";

/** What is unusual below `root`. */
export interface OddFileSystem {
  readonly root: string;
  readonly timeStep?: number;
  /** Files have the time at which they were written, and setting another has no effect. */
  readonly times?: "lost";
  /** Names are converted to lower case. */
  readonly names?: "folded";
  readonly modes?: "refused" | "ignored";
  readonly links?: "none";
  /** Characters that no name may contain. */
  readonly refuses?: string;
  readonly mostBytes?: number;
}

/** Calls for {@linkcode System.calls} with such a file system below `root`; other paths are not affected. */
export function oddCalls(odd: OddFileSystem): (form: Calls["form"]) => Calls {
  const isBelow = (path: string) => path.startsWith(`${odd.root}/`);
  const faulty = faultyCalls(({ name, path, newPath, args }) => {
    const made = newPath === "" ? path : newPath;
    const isMade = ["mkdirat", "symlinkat", "linkat", "renameat2", "mknodat"].includes(name) ||
      (name === "openat" && (Number(args[2]) & 0o100) !== 0);
    if (isMade && isBelow(made) && [...basename(made)].some((letter) => odd.refuses?.includes(letter))) {
      return { errno: EINVAL };
    }
    if (!isBelow(path) && !isBelow(made)) return;
    if (odd.links === "none" && (name === "symlinkat" || name === "linkat")) return { errno: EPERM };
    if (odd.modes === "refused" && (name === "fchmod" || name === "fchmodat")) return { errno: EPERM };
    const end = name === "pwrite" ? Number(args[2]) + Number(args[3]) : 0;
    if (odd.mostBytes !== undefined && end > odd.mostBytes) return { errno: EFBIG };
  });
  return (form) => {
    const calls = faulty.calls(form);
    const pathOf = (handle: number) => {
      try {
        return `${Deno.readLinkSync(`/proc/self/fd/${handle}`)}/`;
      } catch {
        return "";
      }
    };
    const fold = (handle: number, name: Bytes): Bytes => {
      const isOurs = odd.names === "folded" && pathOf(handle).startsWith(`${odd.root}/`);
      if (!isOurs) return name;
      return new TextEncoder().encode(new TextDecoder().decode(name).normalize("NFC").toLowerCase());
    };
    const times = (handle: number, bytes: Bytes): Bytes => {
      const step = odd.timeStep ?? 1;
      if (step === 1 || !pathOf(handle).startsWith(`${odd.root}/`)) return bytes;
      const copy = bytes.slice();
      const view = new DataView(copy.buffer);
      const all = view.getBigInt64(16, true) * 1_000_000_000n + view.getBigInt64(24, true);
      const kept = all / BigInt(step) * BigInt(step);
      view.setBigInt64(16, kept / 1_000_000_000n, true);
      view.setBigInt64(24, kept % 1_000_000_000n, true);
      return copy;
    };
    const losesTimes = (handle: number) => odd.times === "lost" && pathOf(handle).startsWith(`${odd.root}/`);
    const skipsMode = (handle: number) => odd.modes === "ignored" && pathOf(handle).startsWith(`${odd.root}/`);
    const changed: Partial<Calls> = {
      openat: (d, name, flags, mode): Answer => calls.openat(d, fold(d, name), flags, mode),
      statx: (d, name, flags, mask, status) => calls.statx(d, fold(d, name), flags, mask, status),
      mkdirat: (d, name, mode) => calls.mkdirat(d, fold(d, name), mode),
      unlinkat: (d, name, flags) => calls.unlinkat(d, fold(d, name), flags),
      symlinkat: (target, d, name) => calls.symlinkat(target, d, fold(d, name)),
      readlinkat: (d, name, target) => calls.readlinkat(d, fold(d, name), target),
      renameat2: (d, name, newD, newName, flags) => calls.renameat2(d, fold(d, name), newD, fold(newD, newName), flags),
      futimens: (file, bytes) => losesTimes(file) ? 0 : calls.futimens(file, times(file, bytes)),
      utimensat: (d, name, bytes, flags) => calls.utimensat(d, fold(d, name), times(d, bytes), flags),
      fchmod: (file, mode) => skipsMode(file) ? 0 : calls.fchmod(file, mode),
      fchmodat: (d, name, mode) => skipsMode(d) ? 0 : calls.fchmodat(d, fold(d, name), mode),
    };
    return { ...calls, ...changed };
  };
}
