// The programs that the benchmark compares, as shell commands: ours and those of the others that are installed.

/** The measured cases: an empty target, an unchanged tree, a hundred changed files. */
export type BenchCase = "first" | "unchanged" | "changed";

/** A program to measure. */
export interface BenchProgram {
  readonly name: string;
  /** The command for a case; undefined if the program doesn't support it. */
  command(from: string, to: string, bench: BenchCase): string | undefined;
}

const PLAIN_COPY = new URL("bench_copy.go", import.meta.url).pathname;

/** Ours first; the others only if they are on the PATH. Files that must be built for it are in `temporary`. */
export function findPrograms(ours: string, temporary: string): BenchProgram[] {
  const all: readonly (BenchProgram & { readonly needs: string })[] = [
    {
      name: "euler-files",
      needs: "sh",
      command: (from, to) =>
        `EULER_FILES_CONFIG="$PWD/config.json" BENCH_SCRATCH=${to} ${ours} sync --quiet >/dev/null # ${from}`,
    },
    { name: "rsync -a", needs: "rsync", command: (from, to) => `rsync -a ${from}/ ${to}/` },
    { name: "rsync -aW", needs: "rsync", command: (from, to) => `rsync -aW ${from}/ ${to}/` },
    {
      name: "cp -a",
      needs: "cp",
      command: (from, to, bench) => bench === "first" ? `cp -a ${from}/. ${to}/` : `cp -au ${from}/. ${to}/`,
    },
    {
      name: "tar | tar",
      needs: "tar",
      command: (from, to, bench) => bench === "first" ? `tar -C ${from} -cf - . | tar -C ${to} -xpf -` : undefined,
    },
    { name: "fpsync -n 16", needs: "fpsync", command: (from, to) => `fpsync -n 16 -f 500 ${from}/ ${to}/ >/dev/null` },
    {
      name: "rclone, 32",
      needs: "rclone",
      command: (from, to) => `rclone sync --links --checkers 32 --transfers 32 --quiet ${from} ${to}`,
    },
    {
      name: "plain copy, 64",
      needs: "go",
      command: (from, to, bench) => bench === "first" ? `${temporary}/plain-copy ${from} ${to}` : undefined,
    },
  ];
  if (isInstalled("go")) {
    const args = ["build", "-o", `${temporary}/plain-copy`, PLAIN_COPY];
    new Deno.Command("go", { args, stdout: "null", stderr: "inherit" }).outputSync();
  }
  return all.filter(({ needs }) => isInstalled(needs));
}

/** Whether a program is on the PATH. */
export function isInstalled(name: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${name}`], stdout: "null", stderr: "null" }).outputSync()
    .success;
}
