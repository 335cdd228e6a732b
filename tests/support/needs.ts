// Tests that need a program or a permission that not every machine has: without it they are skipped, and their names
// say why.
import { isInstalled } from "../../scripts/prepare.ts";

/** The executable from `deno task compile` that the tests have to run, or undefined to run the source. */
export const COMPILED_EXECUTABLE: string | undefined = Deno.env.get("EULER_FILES_TEST_EXECUTABLE") || undefined;

/** A command prefix that runs a program with its own mounts. Root needs no user namespace for this, other users do. */
export const WITH_OWN_MOUNTS: readonly string[] = ["unshare", Deno.uid() === 0 ? "-m" : "-rm"];

/**
 * Programs that may be installed and still not be permitted to work, as in a container: a command that must succeed for
 * each.
 */
const TRIALS: Readonly<Record<string, readonly string[]>> = {
  mount: ["sh", "-c", "d=$(mktemp -d) && mount -t tmpfs none $d && umount $d; code=$?; rmdir $d; exit $code"],
  unshare: [...WITH_OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/tmp"],
  strace: ["strace", "-o", "/dev/null", "true"],
  // The kernel must support it.
  "mkfs.vfat": ["sh", "-c", "grep -qw vfat /proc/filesystems || modprobe vfat"],
  // FUSE servers, whose images are on loop devices.
  "mount.exfat-fuse": ["test", "-w", "/dev/fuse", "-a", "-w", "/dev/loop-control"],
  "ntfs-3g": ["test", "-w", "/dev/fuse", "-a", "-w", "/dev/loop-control"],
};

/** Registers a test that runs only if all the programs are on the PATH and permitted to work. */
export function testNeeding(programs: readonly string[], name: string, run: () => void | Promise<void>): void {
  const missing = programs.filter((program) => !isInstalled(program));
  const refused = programs.filter((program) => !missing.includes(program) && !mayWork(program));
  const reasons = [
    ...(missing.length === 0 ? [] : [`${missing.join(", ")} not installed`]),
    ...(refused.length === 0 ? [] : [`${refused.join(", ")} not permitted`]),
  ];
  testUnless(reasons.length === 0 ? undefined : reasons.join("; "), name, run);
}

const permitted = new Map<string, boolean>();

function mayWork(program: string): boolean {
  const [command, ...args] = TRIALS[program] ?? [];
  if (command === undefined) return true;
  const known = permitted.get(program);
  if (known !== undefined) return known;
  const { success } = new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync();
  permitted.set(program, success);
  return success;
}

/** Registers a test of the compiled executable; the test gets its path. */
export function testExecutable(
  programs: readonly string[],
  name: string,
  run: (executable: string) => void | Promise<void>,
): void {
  const executable = COMPILED_EXECUTABLE;
  if (executable !== undefined) return testNeeding(programs, name, () => run(executable));
  testUnless("only for the compiled executable", name, () => {});
}

/** Registers a test; with a reason it is skipped. */
export function testUnless(reason: string | undefined, name: string, run: () => void | Promise<void>): void {
  Deno.test({ name: reason === undefined ? name : `${name} (${reason})`, ignore: reason !== undefined, fn: run });
}
