// Tells file systems on disks and in the memory of this node from those behind a server, which may stop answering.
import { statfs } from "node:fs/promises";

/** `f_type` of statfs(2) for file systems without a server (linux/magic.h). All others count as having one. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
  0x2fc12fc1, // zfs
  0xf2f52010, // f2fs
  0xca451a4e, // bcachefs
  0x3153464a, // jfs
  0x52654973, // reiserfs
  0x4d44, // fat
  0x2011bab0, // exfat
  0x7366746e, // ntfs3
]);

/** Whether a path, or the closest of its parents that exists, is on such a file system. */
export async function isOnLocalDisk(path: string): Promise<boolean> {
  for (let at = path;; at = at.slice(0, at.lastIndexOf("/")) || "/") {
    const type = await statfs(at).then((facts) => facts.type, () => undefined);
    if (type !== undefined) return LOCAL_TYPES.has(type);
    if (at === "/") return false;
  }
}
