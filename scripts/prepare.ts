// Gets the programs that the demo and the tests run beside Deno: `deno run scripts/prepare.ts [demo|test]`.
// As root on Debian it installs what is missing; elsewhere it says what is missing and how to get it. It never asks.

/** What the programs are needed for. */
export type Purpose = "demo" | "test";

interface Program {
  /** The Debian package it comes in. */
  readonly package: string;
  /** A command that succeeds if it is installed, for what isn't a program on the PATH. */
  readonly trial?: readonly string[];
  readonly purposes: readonly Purpose[];
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  rsync: { package: "rsync", purposes: ["test"] },
  bash: { package: "bash", purposes: ["demo", "test"] },
  dash: { package: "dash", purposes: ["test"] },
  zsh: { package: "zsh", purposes: ["test"] },
  fish: { package: "fish", purposes: ["test"] },
  tcsh: { package: "tcsh", purposes: ["test"] },
  expect: { package: "expect", purposes: ["test"] },
  tmux: { package: "tmux", purposes: ["test"] },
  strace: { package: "strace", purposes: ["test"] },
  shellcheck: { package: "shellcheck", purposes: ["test"] },
  slurmctld: { package: "slurm-wlm", purposes: ["test"] },
  slurmd: { package: "slurm-wlm", purposes: ["test"] },
  munged: { package: "munge", purposes: ["test"] },
  "ntfs-3g": { package: "ntfs-3g", purposes: ["test"] },
  "mount.exfat-fuse": { package: "exfat-fuse", purposes: ["test"] },
  "mkfs.exfat": { package: "exfatprogs", purposes: ["test"] },
  "mkfs.vfat": { package: "dosfstools", purposes: ["test"] },
  setpriv: { package: "util-linux", purposes: ["test"] },
  python3: { package: "python3", purposes: ["test"] },
  "python3-venv": { package: "python3-venv", trial: ["python3", "-c", "import ensurepip"], purposes: ["test"] },
};

/** Long enough for a slow mirror; without a limit an unattended set-up would hang. */
const INSTALL_MINUTES = 8;

/** What a set-up did. */
export interface Preparation {
  readonly installed: readonly string[];
  readonly missing: readonly string[];
  /** Why nothing, or not all, was installed; undefined if nothing is missing. */
  readonly reason: string | undefined;
}

/** Installs what the purpose needs and the PATH lacks, if it may. Throws nothing: the answer says what is missing. */
export async function prepare(purpose: Purpose): Promise<Preparation> {
  const wanted = Object.keys(PROGRAMS).filter((name) => PROGRAMS[name]?.purposes.includes(purpose));
  const absent = wanted.filter((name) => !isInstalled(name));
  if (absent.length === 0) return { installed: [], missing: [], reason: undefined };
  const refusal = Deno.uid() !== 0 ? "only root may install" : isInstalled("apt-get") ? undefined : "no apt-get here";
  const failure = refusal ?? await installPackages(absent.map((name) => PROGRAMS[name]?.package ?? name));
  const missing = absent.filter((name) => !isInstalled(name));
  return {
    installed: absent.filter((name) => !missing.includes(name)),
    missing,
    reason: missing.length === 0 ? undefined : failure ?? "their packages hold no such program",
  };
}

/** The sentences about a preparation, for stderr; none if everything was installed. */
export function describePreparation({ installed, missing, reason }: Preparation): readonly string[] {
  const lines = installed.length === 0 ? [] : [`Installed ${installed.join(", ")}`];
  if (missing.length === 0) return lines;
  const packages = [...new Set(missing.map((name) => PROGRAMS[name]?.package ?? name))];
  return [...lines, `Missing: ${missing.join(", ")} (${reason})`, `hint: apt-get install ${packages.join(" ")}`];
}

/** Whether the PATH has a program of that name, or its trial command succeeds. */
export function isInstalled(program: string): boolean {
  const [command, ...args] = PROGRAMS[program]?.trial ?? [];
  if (command !== undefined) {
    return isInstalled(command) &&
      new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  }
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      const info = Deno.statSync(`${directory || "."}/${program}`);
      return info.isFile && ((info.mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  });
}

/** Installs Debian packages. Returns undefined if all were installed, otherwise the reason. */
export async function installPackages(packages: readonly string[]): Promise<string | undefined> {
  const names = [...new Set(packages)];
  // The lists of a fresh image are empty or old, so they are fetched only if the first try fails.
  const first = await aptGet("install", "--no-install-recommends", ...names);
  if (first === undefined) return undefined;
  const update = await aptGet("update");
  if (update !== undefined) return update;
  const second = await aptGet("install", "--no-install-recommends", ...names);
  if (second === undefined) return undefined;
  // One unknown package makes apt-get refuse them all: then try each separately.
  const failures = [];
  for (const name of names) failures.push(await aptGet("install", "--no-install-recommends", name));
  return failures.find((failure) => failure !== undefined);
}

async function aptGet(...args: readonly string[]): Promise<string | undefined> {
  const settings = ["Acquire::Retries=1", "Acquire::http::Timeout=20", "DPkg::Lock::Timeout=120", "Dpkg::Use-Pty=0"];
  try {
    const { success, stderr } = await new Deno.Command("apt-get", {
      args: ["-qq", "-y", ...settings.flatMap((setting) => ["-o", setting]), ...args],
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(INSTALL_MINUTES * 60_000),
    }).output();
    if (success) return undefined;
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    return `apt-get ${args[0]}: ${lines.find((line) => line.startsWith("E:")) ?? lines.at(-1)}`;
  } catch (error) {
    return `apt-get: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Writes lines to stderr. */
export function tell(lines: readonly string[]): void {
  if (lines.length > 0) Deno.stderr.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
}

if (import.meta.main) {
  const preparation = await prepare(Deno.args[0] === "demo" ? "demo" : "test");
  tell(describePreparation(preparation));
  Deno.exit(preparation.missing.length === 0 ? 0 : 1);
}
