// Runs a process whose N-th system call below a directory fails, is torn or ends it: the interface to supervisor.py.

/**
 * What happens at the call; an error is named as in errno(3). `kill` also ends every process it started, `kill-one`
 * only itself.
 */
export type Act = "none" | "kill" | "kill-one" | "torn" | "EIO" | "ENOSPC" | "EDQUOT" | "ESTALE" | "EACCES";

/** What to run and where to intervene. */
export interface SuperviseRequest {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Only calls about names below it are counted. */
  readonly root: string;
  /** Where the supervisor writes the calls it counted. */
  readonly log: string;
  /** Which calls are counted. */
  readonly watch: "changes" | "changes,reads" | "changes,reads,closes";
  /** The index of the call at which the act happens; without one the calls are only counted. */
  readonly at?: number;
  readonly act?: Act;
  /** Written to its stdin. */
  readonly stdin?: string;
}

/** How the process ended. */
export interface Supervised {
  /** 137 if it was killed, 124 if it did not end within a minute. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Each counted call with its names, in their order. */
  readonly calls: readonly string[];
}

const SUPERVISOR = decodeURIComponent(new URL("supervisor.py", import.meta.url).pathname);

/** The system's own Python starts faster than one behind a shim of a version manager. */
const PYTHON = await Deno.stat("/usr/bin/python3").then(() => "/usr/bin/python3", () => "python3");

/** Why the kernel does not let a process be supervised; undefined if it does. */
export async function whyNotSupervised(): Promise<string | undefined> {
  const log = await Deno.makeTempFile({ prefix: "euler-files-test-" });
  try {
    const { code } = await supervise({ argv: ["true"], env: {}, cwd: "/", root: "/none", log, watch: "changes" });
    return code === 0 ? undefined : "seccomp user notifications not permitted";
  } catch {
    return "python3 not installed";
  } finally {
    await Deno.remove(log);
  }
}

/** Runs a process to its end. */
export async function supervise(request: SuperviseRequest): Promise<Supervised> {
  const { argv, env, cwd, root, log, watch, at = -1, act = "none", stdin = "" } = request;
  const options = ["--root", root, "--log", log, "--at", `${at}`, "--act", act, "--watch", watch];
  const child = new Deno.Command(PYTHON, {
    args: [SUPERVISOR, ...options, "--", ...argv],
    env: { PATH: "/usr/bin:/bin", ...env },
    clearEnv: true,
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const output = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    code: output.code,
    stdout: decode(output.stdout),
    stderr: decode(output.stderr),
    calls: decode(await Deno.readFile(log)).split("\n").filter((line) => line !== "")
      .map((line) => line.slice(line.indexOf(" ") + 1)),
  };
}
