// Packs an environment into an archive whose files already name its path in the container. The environment isn't changed.
import type { Report } from "../contract/events.ts";
import { formatFiles, formatSize } from "../text/format.ts";
import { appendToArchive } from "../tools/tar.ts";
import type { System } from "../system/system.ts";
import { packTree } from "../transfer/pack.ts";
import { planRelocation, writeChanges } from "../venv/relocate.ts";
import type { Environment } from "../venv/conda.ts";

/** What to pack. */
export interface PackVenvRequest {
  readonly venv: Environment;
  /** Where it will be in the container. */
  readonly containerPath: string;
  /** Names in it begin with `./`. */
  readonly archive: string;
  /** Links to files outside that are packed as these files; relative to the environment. */
  readonly copied: readonly string[];
  /** How many files it has, for the progress. */
  readonly filesTotal: number;
  /** The name that its progress events carry. */
  readonly subject: string;
}

/** Packs it; files that name its path are appended in the form for the container, and replace the earlier ones of that name. */
export async function packVenv(request: PackVenvRequest, report: Report, system: System): Promise<void> {
  const { venv, containerPath, archive, subject, filesTotal, copied } = request;
  const tell = ({ files }: { readonly files: number }) =>
    report({
      type: "progress",
      subject,
      progress: { phase: "packing", filesDone: files, filesTotal: Math.max(files, filesTotal), bytesDone: 0 },
    });
  const root = await Deno.realPath(venv.path);
  // GNU tar makes absolute links only at the end, over a file of the same name that comes later in the archive.
  const packed = await packTree({ root, archive, leaveOut: new Set(copied), report: tell }, system);
  if (copied.length > 0) {
    const names = copied.map((path) => `./${path}`);
    await appendToArchive({ archive, directory: root, names, links: "follow" }, system);
  }
  const { changes: planned } = await planRelocation(venv.path, containerPath);
  // A rewritten module gets another time, so that Python doesn't run what was compiled from the former one.
  const changes = planned.filter(({ kind }) => kind !== "removal").map((change) =>
    change.kind === "file" && change.path.endsWith(".py")
      ? { ...change, mtimeSeconds: change.mtimeSeconds + 1 }
      : change
  );
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
