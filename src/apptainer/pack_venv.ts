// Packs an environment into an archive whose files already name its path in the container. The environment isn't changed.
import type { Report } from "../contract/events.ts";
import { formatFiles, formatSize } from "../text/format.ts";
import { appendToArchive } from "../tools/tar.ts";
import type { System } from "../system/system.ts";
import { packTree } from "../transfer/pack.ts";
import { planRelocation, writeChanges } from "../venv/relocate.ts";
import type { Venv } from "../venv/venv.ts";

/** What to pack. */
export interface PackVenvRequest {
  readonly venv: Venv;
  /** Where it will be in the container. */
  readonly containerPath: string;
  /** Names in it begin with `./`. */
  readonly archive: string;
  /** How many files it has, for the progress. */
  readonly filesTotal: number;
  /** The name that its progress events carry. */
  readonly subject: string;
}

/** Packs it; files that name its path are appended in the form for the container, and replace the earlier ones of that name. */
export async function packVenv(request: PackVenvRequest, report: Report, system: System): Promise<void> {
  const { venv, containerPath, archive, subject, filesTotal } = request;
  const tell = ({ files }: { readonly files: number }) =>
    report({
      type: "progress",
      subject,
      progress: { phase: "packing", filesDone: files, filesTotal: Math.max(files, filesTotal), bytesDone: 0 },
    });
  const packed = await packTree({ root: await Deno.realPath(venv.path), archive, report: tell }, system);
  const { changes } = await planRelocation(venv.path, containerPath);
  if (changes.length > 0) {
    const overlay = `${archive}.changes`;
    await writeChanges(changes, overlay);
    // Only the files: a directory's entry would bring the mode it has here.
    const names = changes.map((change) => `./${change.path}`);
    await appendToArchive({ archive, directory: overlay, names }, system);
  }
  const text = `packed ${formatFiles(packed.files)}, ${formatSize(packed.archiveBytes)}`;
  report({ type: "done", subject, outcome: "good", text });
}
