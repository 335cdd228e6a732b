// Chooses whether rsync or our own calls move the files of a transfer.
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { findRsync, probeRsync, withoutDestructive } from "../tools/rsync.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import type { ListFiles } from "./list_files.ts";
import { type Mover, NativeMover, RsyncMover } from "./movers.ts";
import { PackMover } from "./pack_mover.ts";
import type { TransferRequest } from "./request.ts";

/** The engine for a request. Throws a CliError `missing-tool` if it needs rsync, and that is not found. */
export function engineFor(request: TransferRequest, system: System): "rsync" | "native" {
  const hasRsync = findRsync(system) !== undefined;
  const wantsRsync = request.extraArgs.length > 0 || request.engine === "rsync";
  if (!wantsRsync) return "native";
  if (hasRsync) return "rsync";
  const without = request.extraArgs.length > 0 ? "do without rsync_extra_args" : "copy without it";
  throw new CliError("missing-tool", "Cannot transfer: rsync was not found on the PATH", {
    hint: `load it (\`module load rsync\`), or ${without} this time (\`--engine native\`) ` +
      "or always (`euler-files config set engine auto`)",
  });
}

/** What moves the files of a transfer with that engine. */
export function moverFor(
  engine: "rsync" | "native",
  request: TransferRequest,
  settings: CopySettings,
  { lists, runner, reader, system }: {
    readonly lists: ListFiles;
    readonly runner: JobRunner;
    readonly reader: JobRunner | undefined;
    readonly system: System;
  },
): Mover {
  if (engine === "native" && request.packed !== undefined && reader !== undefined) {
    const direct = new NativeMover(settings, reader);
    return new PackMover({ packed: request.packed, settings, runner, direct });
  }
  if (engine === "native") return new NativeMover(settings, runner);
  const program = findRsync(system)!;
  let rsync: ReturnType<typeof probeRsync> | undefined;
  return new RsyncMover({
    ...{ settings, lists, runner, system },
    rsync: () => rsync ??= probeRsync(program, system),
    extraArgs: [
      ...withoutDestructive(request.extraArgs),
      ...(request.bandwidthLimitBytesPerSecond === undefined
        ? []
        : [`--bwlimit=${Math.max(1, Math.round(request.bandwidthLimitBytesPerSecond / 1024))}K`]),
    ],
  });
}
