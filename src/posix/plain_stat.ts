// Replaces statx(2) if the old seccomp filter of a container refuses it: calls newfstatat(2), whose struct stat differs between
// processors, and rewrites the answer in the layout of statx, so that the rest of the program needs no change.

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a struct stat; aarch64 uses 128 of them. */
export const STAT_BYTES = 144;

/** Offsets in struct stat that differ between the processors (asm/stat.h of Linux); all others are the same. */
const OFFSETS = {
  x86_64: { mode: 24, links: 16, userId: 28, groupId: 32, device: 40 },
  aarch64: { mode: 16, links: 20, userId: 24, groupId: 28, device: 32 },
};

/** Type, mode, links, owner, times, inode, size and blocks (STATX_BASIC_STATS): the fields that struct stat has. */
const BASIC_STATS = 0x7ff;

/** Fills `status`, as statx(2) would, from a struct stat of this or the given processor. */
export function statusFromStat(stat: Bytes, status: Bytes, arch: keyof typeof OFFSETS = Deno.build.arch): void {
  const offsets = OFFSETS[arch];
  const from = new DataView(stat.buffer, stat.byteOffset, STAT_BYTES);
  const to = new DataView(status.buffer, status.byteOffset, status.byteLength);
  status.fill(0);
  to.setUint32(0, BASIC_STATS, true);
  to.setUint32(4, from.getUint32(56, true), true);
  to.setUint32(16, from.getUint32(offsets.links, true), true);
  to.setUint32(20, from.getUint32(offsets.userId, true), true);
  to.setUint32(24, from.getUint32(offsets.groupId, true), true);
  to.setUint16(28, from.getUint32(offsets.mode, true), true);
  copy8(from, 8, to, 32); // inode
  copy8(from, 48, to, 40); // size
  copy8(from, 64, to, 48); // blocks
  // Times of access, change and modification: seconds, followed after 8 bytes by the nanoseconds.
  for (const [start, target] of [[72, 64], [104, 96], [88, 112]] as const) {
    copy8(from, start, to, target);
    to.setUint32(target + 8, from.getUint32(start + 8, true), true);
  }
  setDevice(to, 128, from.getUint32(offsets.device, true));
  setDevice(to, 136, from.getUint32(0, true));
}

function copy8(from: DataView, start: number, to: DataView, target: number): void {
  to.setBigUint64(target, from.getBigUint64(start, true), true);
}

/** The kernel packs a device number in 32 bits: 8 of the minor number, 12 of the major one, 12 of the minor one. */
function setDevice(to: DataView, target: number, device: number): void {
  to.setUint32(target, (device >>> 8) & 0xfff, true);
  to.setUint32(target + 4, (device & 0xff) | ((device >>> 12) & 0xfff00), true);
}
