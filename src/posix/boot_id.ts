// The kernel's boot ID. It is read with libc, because Deno opens files below /proc only for a program with all permissions.
import { type Calls, plainCalls } from "./calls.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "./libc.ts";
import { cString } from "./tree.ts";
import { run, type Work } from "./work.ts";

/** The boot ID, which changes with every start of the kernel (random(4)); empty if it can't be read. */
export function readBootId(calls: Calls = plainCalls()): Promise<string> {
  return run(read(calls));
}

function* read(calls: Calls): Work<string> {
  const file = yield calls.openat(AT_FDCWD, cString("/proc/sys/kernel/random/boot_id"), O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return "";
  const bytes = new Uint8Array(64);
  const length = yield calls.pread(file, bytes, bytes.length, 0);
  calls.closeHandle(file);
  return new TextDecoder().decode(bytes.subarray(0, Math.max(0, length))).trim();
}
