// Checks constants, structures and numbers of system calls on the processor it runs on: an entry for `compile`, run under an
// emulator by `deno task test:aarch64`. The argument is an empty directory. Prints what is wrong; nothing if all is right.
import { plainCalls } from "../src/posix/calls.ts";
import { readBootId } from "../src/posix/boot_id.ts";
import { ELOOP, ENOTDIR } from "../src/posix/errno.ts";
import {
  addressOf,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  loadLibc,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  STATX_ASKED,
} from "../src/posix/libc.ts";
import { SYS_NEWFSTATAT } from "../src/posix/libc.ts";
import { STAT_BYTES, statusFromStat } from "../src/posix/plain_stat.ts";
import { kindsIn } from "../src/posix/small_file.ts";
import { readStatus, STATUS_BYTES } from "../src/posix/status.ts";
import { cString } from "../src/posix/tree.ts";
import { runPlain } from "../src/posix/work.ts";

const calls = plainCalls();
const directory = Deno.args[0]!;
const wrong: string[] = [];

function expect(what: string, actual: unknown, expected: unknown): void {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(value));
  if (one !== other) wrong.push(`${what}: ${one} instead of ${other}`);
}

function lookAt(path: string) {
  const [status, stat, converted] = [STATUS_BYTES, STAT_BYTES, STATUS_BYTES].map((size) => new Uint8Array(size)) as [
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ];
  expect(`statx ${path}`, calls.statx(AT_FDCWD, cString(path), AT_SYMLINK_NOFOLLOW, STATX_ASKED, status), 0);
  const { plain } = loadLibc();
  const answer = plain.syscall(SYS_NEWFSTATAT, AT_FDCWD, cString(path), addressOf(stat), AT_SYMLINK_NOFOLLOW);
  expect(`newfstatat ${path}`, Number(answer), 0);
  statusFromStat(stat, converted);
  expect(`struct stat of ${path}`, readStatus(converted), readStatus(status));
  return readStatus(status);
}

await Deno.writeTextFile(`${directory}/file`, "12345", { mode: 0o640 });
await Deno.chmod(`${directory}/file`, 0o640);
await Deno.utime(`${directory}/file`, 1_000_000_000.25, 1_000_000_000.25);
await Deno.symlink("file", `${directory}/link`);
await Deno.symlink(".", `${directory}/here`);
expect("mknodat", calls.mknodat(AT_FDCWD, cString(`${directory}/fifo`), 0o010600, 0), 0);

const { kind, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, links, userId } = lookAt(`${directory}/file`);
expect("statx", [kind, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, links, userId], [
  ...["f", 0o640, 5, 1_000_000_000, 250_000_000, 1],
  Deno.uid(),
]);
expect("kinds", ["link", "fifo", "."].map((name) => lookAt(`${directory}/${name}`).kind), ["l", "p", "d"]);
const device = lookAt("/dev/null");
expect("device", [device.kind, device.deviceMajor, device.deviceMinor], ["c", 1, 3]);

const open = (name: string, flags: number) => calls.openat(AT_FDCWD, cString(`${directory}/${name}`), flags, 0);
expect("O_DIRECTORY", open("file", O_RDONLY | O_DIRECTORY), -ENOTDIR);
expect("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW), -ELOOP);
expect("without O_NOFOLLOW", (open("here", O_RDONLY | O_DIRECTORY) as number) >= 0, true);
expect("getdents64", [...runPlain(kindsIn(calls, directory))].sort(), [
  ["fifo", "p"],
  ["file", "f"],
  ["here", "l"],
  ["link", "l"],
]);
expect("boot id", /^[0-9a-f-]{36}$/.test(await readBootId(calls)), true);

await Deno.stdout.write(new TextEncoder().encode(wrong.map((line) => `${line}\n`).join("")));
Deno.exit(wrong.length === 0 ? 0 : 1);
