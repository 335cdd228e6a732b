// mksquashfs(1): makes one compressed file of a directory, which Linux and squashfuse mount.
import { CliError } from "../errors/errors.ts";
import { saysDiskIsFull } from "../errors/os_error.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { shellWord } from "../text/format.ts";
import { type Listener, runStreaming } from "./streaming.ts";

/** The program of this machine, and what it can do. */
export interface Mksquashfs {
  readonly program: string;
  /** zstd is read several times faster than gzip; squashfs-tools have it since 4.4. */
  readonly compression: "zstd" | "gzip";
  /** Whether it can add a file with a fixed time (since 4.5, as -quiet), so that the same content gives the same bytes. */
  readonly addedFiles: "fixed time" | "current time";
}

/** zstd's default here is 15, which takes many times longer to pack for a few per cent of size. */
const ZSTD_LEVEL = 6;

/** The mksquashfs on the PATH or where administrators' programs are, or undefined. */
export async function findMksquashfs(system: System): Promise<Mksquashfs | undefined> {
  const program = findProgram("mksquashfs", { PATH: `${system.env.PATH ?? "/usr/bin"}:/usr/sbin:/sbin` });
  if (program === undefined) return undefined;
  const [help, version] = await Promise.all(
    ["-help", "-version"].map((arg) => spawn({ program, args: [arg] }, system)),
  );
  const [, major = "4", minor = "0"] = /version (\d+)\.(\d+)/.exec(version!.stdout + version!.stderr) ?? [];
  return {
    program,
    compression: /^\s*zstd\b/m.test(help!.stdout + help!.stderr) ? "zstd" : "gzip",
    addedFiles: Number(major) * 100 + Number(minor) >= 405 ? "fixed time" : "current time",
  };
}

/** The error where it is not installed. */
export function mksquashfsMissing(): CliError {
  return new CliError("missing-tool", "Cannot find mksquashfs on the PATH", {
    hint: "it is part of squashfs-tools; `module avail squashfs` shows if the cluster has it, " +
      "and `micromamba install -c conda-forge squashfs-tools` installs it without an administrator",
  });
}

/** What to pack. */
export interface SquashRequest {
  readonly directory: string;
  readonly file: string;
  /** A file whose content is added under a name of its own. */
  readonly added: { readonly name: string; readonly from: string };
}

/** The arguments. The time of the file system is fixed, so that the same files give the same bytes. */
function squashArgs({ directory, file, added }: SquashRequest, tool: Mksquashfs): string[] {
  const time = tool.addedFiles === "fixed time" ? ["F", "0"] : ["f"];
  return [
    ...[directory, file, "-noappend", "-no-progress", "-no-xattrs", "-mkfs-time", "0", "-comp", tool.compression],
    ...(tool.addedFiles === "fixed time" ? ["-quiet"] : []),
    ...(tool.compression === "zstd" ? ["-Xcompression-level", String(ZSTD_LEVEL)] : []),
    ...["-p", [added.name, ...time, "444", "0", "0", "cat", shellWord(added.from)].join(" ")],
  ];
}

/** Packs. Throws a CliError `tool` with its last lines, or `no-space`. */
export async function squash(
  request: SquashRequest,
  tool: Mksquashfs,
  listener: Listener,
  system: System,
): Promise<void> {
  const { code, lastLines } = await runStreaming(
    { program: tool.program, args: squashArgs(request, tool) },
    listener,
    system,
  );
  if (code === 0) return;
  const kind = saysDiskIsFull(lastLines.join("\n")) ? "no-space" : "tool";
  throw new CliError(kind, `Cannot pack "${request.directory}": mksquashfs ended with code ${code}`, {
    lines: lastLines,
  });
}

/** Unpacks a squashfs to a directory that doesn't exist yet. Throws a CliError `missing-tool`, `tool` or `no-space`. */
export async function unsquash(file: string, directory: string, system: System): Promise<void> {
  const program = findProgram("unsquashfs", { PATH: `${system.env.PATH ?? "/usr/bin"}:/usr/sbin:/sbin` });
  if (program === undefined) {
    throw new CliError(
      "missing-tool",
      "Cannot mount or unpack a pack: neither squashfuse nor unsquashfs is on the PATH",
      {
        hint: "`module avail squashfs` shows if the cluster has them, " +
          "and `micromamba install -c conda-forge squashfuse` installs one without an administrator",
      },
    );
  }
  const { code, stderr } = await spawn({ program, args: ["-no-progress", "-quiet", "-d", directory, file] }, system);
  if (code === 0) return;
  throw new CliError(saysDiskIsFull(stderr) ? "no-space" : "tool", `Cannot unpack "${file}"`, {
    lines: stderr.trimEnd().split("\n").slice(-10),
  });
}
