// Runs small programs of the system by their absolute paths: neither the PATH nor the working directory decides what runs.

const DIRECTORIES = ["/usr/bin", "/bin"];

/** A system program's output, or undefined if it is missing or fails. Blocks until it has ended. */
export function runSystemProgram(name: string, args: readonly string[]): string | undefined {
  for (const directory of DIRECTORIES) {
    try {
      const { success, stdout } = command(directory, name, args).outputSync();
      return success ? new TextDecoder().decode(stdout) : undefined;
    } catch {
      // The program is not in this directory.
    }
  }
  return undefined;
}

function command(directory: string, name: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(`${directory}/${name}`, {
    args: [...args],
    clearEnv: true,
    env: { PATH: DIRECTORIES.join(":"), LC_ALL: "C.UTF-8" },
    cwd: "/",
    stdin: "null",
    stderr: "null",
  });
}
