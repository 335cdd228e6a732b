// Reads the attributes of each path in its arguments, then forbids itself statx(2) by a seccomp filter, as old
// containers do, and reads them again. Prints both in JSON.
import { plainCalls, waitingCalls } from "../../src/posix/calls.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_ASKED } from "../../src/posix/libc.ts";
import { readStatus, STATUS_BYTES } from "../../src/posix/status.ts";
import { cString } from "../../src/posix/tree.ts";

const isArm = Deno.build.arch === "aarch64";
const [SYS_SECCOMP, SYS_STATX] = isArm ? [277, 291] : [317, 332];
const [EPERM, ENOSYS] = [1, 38];

function refuseStatx(errno: number): void {
  // Four instructions (linux/filter.h): load the number of the call; if it is statx go on, else skip one; refuse;
  // allow.
  const filter = new DataView(new ArrayBuffer(32));
  const instruction = (index: number, code: number, jt: number, jf: number, k: number) => {
    filter.setUint16(index * 8, code, true);
    filter.setUint8(index * 8 + 2, jt);
    filter.setUint8(index * 8 + 3, jf);
    filter.setUint32(index * 8 + 4, k, true);
  };
  instruction(0, 0x20, 0, 0, 0);
  instruction(1, 0x15, 0, 1, SYS_STATX!);
  instruction(2, 0x06, 0, 0, 0x00050000 | errno);
  instruction(3, 0x06, 0, 0, 0x7fff0000);
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, 4, true);
  program.setBigUint64(8, BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter))), true);
  const { symbols } = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    syscall: { parameters: ["i64", "u32", "u32", "buffer"], result: "i64" },
    statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  });
  // PR_SET_NO_NEW_PRIVS; then SECCOMP_SET_MODE_FILTER for all threads (SECCOMP_FILTER_FLAG_TSYNC).
  if (symbols.prctl(38, 1n, 0n, 0n, 0n) !== 0 || symbols.syscall(BigInt(SYS_SECCOMP!), 1, 1, program) !== 0n) {
    throw new Error("seccomp refuses a filter here");
  }
  // With ENOSYS, glibc itself falls back to fstatat.
  if (errno === EPERM && symbols.statx(AT_FDCWD, cString("/"), 0, STATX_ASKED, new Uint8Array(STATUS_BYTES)) === 0) {
    throw new Error("statx is not refused");
  }
}

async function look(): Promise<unknown> {
  const seen = [];
  for (const calls of [plainCalls(), waitingCalls(), waitingCalls()]) {
    for (const path of Deno.args) {
      const status = new Uint8Array(STATUS_BYTES);
      const answer = await calls.statx(AT_FDCWD, cString(path), AT_SYMLINK_NOFOLLOW, STATX_ASKED, status);
      seen.push([answer, answer === 0 ? readStatus(status) : null]);
    }
  }
  return seen;
}

const before = await look();
refuseStatx(Deno.env.get("STATX_ERRNO") === "ENOSYS" ? ENOSYS : EPERM);
const after = await look();
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify({ before, after })));
