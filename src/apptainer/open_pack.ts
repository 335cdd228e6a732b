// A pack without a container: seen at the environment's own path by one program where the kernel lets users mount, else unpacked
// to this node and repaired for its path there.
import type { Report } from "../contract/events.ts";
import { isDirectory } from "../system/existence.ts";
import type { System } from "../system/system.ts";
import { listSome } from "../text/format.ts";
import { unsquash } from "../tools/mksquashfs.ts";
import { canMountPrivately, findSquashfuse, type PrivateMount, privateMountWords } from "../tools/private_mount.ts";
import { applyRelocation, planRelocation } from "../venv/relocate.ts";
import { PACKED_RATIO } from "./run_pack.ts";
import type { ImageSetting } from "./setting.ts";
import { chooseWorkspace, makeWorkspace, removeWorkspace, sweepWorkspaces, workspaceCandidates } from "./workspace.ts";

/** A pack that can be used; disposing of it removes what was unpacked. */
export interface OpenPack extends AsyncDisposable {
  readonly way: "mounted" | "bound" | "unpacked";
  /** Where the program sees the environment. */
  readonly path: string;
  /** The words before the program's. */
  readonly words: readonly string[];
}

/** Opens the pack of the environment at `path`. Throws CliErrors `missing-tool`, `no-space`, `tool`. */
export async function openPack(
  file: string,
  path: string,
  setting: ImageSetting,
  report: Report,
  system: System,
): Promise<OpenPack> {
  const groupId = Deno.gid() ?? system.userId;
  const opened = (way: OpenPack["way"], mount: PrivateMount, close: () => Promise<void>): OpenPack => ({
    ...{ way, path, words: privateMountWords(mount, system.userId, groupId), [Symbol.asyncDispose]: close },
  });
  const mayMount = await isDirectory(path);
  const squashfuse = findSquashfuse(system.env);
  const mount = { from: file, squashfuse, path };
  if (mayMount && squashfuse !== undefined && await canMountPrivately(mount, system)) {
    return opened("mounted", mount, async () => {});
  }
  const candidates = await workspaceCandidates(setting, system);
  await sweepWorkspaces(candidates);
  const { size } = await Deno.stat(file);
  const workspace = await chooseWorkspace(candidates, PACKED_RATIO * size, system.userId);
  const close = () => removeWorkspace(workspace);
  await makeWorkspace(workspace);
  try {
    const root = `${workspace}/venv`;
    report({ type: "note", text: `the pack cannot be mounted here: unpacking it to ${workspace}` });
    await unsquash(file, root, system);
    const bind = { from: root, squashfuse: undefined, path };
    if (mayMount && await canMountPrivately(bind, system)) return opened("bound", bind, close);
    const failed = await applyRelocation(await planRelocation(root, root, { formerPaths: [path] }));
    if (failed.length > 0) {
      const text = `could not be changed for their path here: ${listSome(failed.map((one) => one.path))}`;
      report({ type: "warning", text });
    }
    return { way: "unpacked", path: root, words: [], [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
