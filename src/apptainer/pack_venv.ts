// An environment as one archive in which it already stands at its place in the container. The environment itself isn't touched.
import type { Report } from "../events.ts";
import { formatFiles, formatSize } from "../format.ts";
import type { Listener } from "../tools/aloud.ts";
import { pack } from "../tools/tar.ts";
import type { System } from "../system/system.ts";
import { measureTree } from "../venv/measure.ts";
import { planRelocation, writeChanges } from "../venv/relocate.ts";
import type { Venv } from "../venv/venv.ts";

/** What to pack. */
export interface PackVenvRequest {
  readonly venv: Venv;
  /** Where it will be in the container. */
  readonly containerPath: string;
  readonly archive: string;
  /** Whose progress it is. */
  readonly subject: string;
}

/** How often the archive's size is looked at for the progress. */
const LOOK_MILLISECONDS = 500;

/** Packs it; files that name its path are appended in the form for the container, and win over the ones before. */
export async function packVenv(
  { venv, containerPath, archive, subject }: PackVenvRequest,
  { listener, report }: { readonly listener: Listener; readonly report: Report },
  system: System,
): Promise<void> {
  // A link in the base directory is packed as what it leads to.
  const real = await Deno.realPath(venv.path);
  const slash = real.lastIndexOf("/");
  const [parent, name] = [real.slice(0, slash) || "/", real.slice(slash + 1)];
  const total = await measureTree(real, system.signal);
  const look = setInterval(async () => {
    const size = (await Deno.stat(archive).catch(() => undefined))?.size ?? 0;
    const share = Math.min(1, size / Math.max(1, total.sizeBytes));
    report({
      type: "progress",
      subject,
      progress: {
        phase: "packing",
        filesDone: Math.floor(total.files * share),
        filesTotal: total.files,
        bytesDone: Math.min(size, total.sizeBytes),
        bytesTotal: total.sizeBytes,
      },
    });
  }, LOOK_MILLISECONDS);
  const hearing = { terminal: false, hear: listener.hear };
  try {
    await pack({ archive, members: { tree: name }, parent }, hearing, system);
  } finally {
    clearInterval(look);
  }
  const { changes } = await planRelocation(venv.path, containerPath);
  if (changes.length > 0) {
    const overlay = `${archive}.changes`;
    await writeChanges(changes, `${overlay}/${name}`);
    // Only the files: a directory's entry would bring the mode it has here.
    const files = changes.map((change) => `${name}/${change.path}`);
    await pack({ archive, members: { files }, parent: overlay }, hearing, system);
  }
  const text = `packed ${formatFiles(total.files)}, ${formatSize(total.sizeBytes)}`;
  report({ type: "done", subject, outcome: "good", text });
}
