// A copy on the disk of a node. Its source is the copy on scratch, so staging and pushing use the same code with other
// directories.
import type { NodeDisk } from "../config/resolve.ts";
import { joinPath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { refuseUntrusted } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import { refusePlanted } from "../variables/cache_root.ts";
import { layoutOf } from "../variables/layout.ts";
import { readMarker } from "../records/marker.ts";
import { preparePrivateDirectory } from "./private_directory.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The variable with scratch as its source and the node as its target. */
export function onNode(variable: Variable, node: NodeDisk): Variable {
  const { source, target, name } = variable;
  return { ...variable, source: target, target: joinPath(node.root, name), origin: source };
}

/** The settings for the directories of the node. */
export function nodeSettings(settings: StagingSettings, node: NodeDisk): StagingSettings {
  return { ...settings, scratchBase: node.base, cacheRoot: node.root };
}

/** Makes our directory on the node's disk. Throws a CliError if there is no such disk, or the directory is not ours. */
export async function prepareNode(node: NodeDisk, userId: number): Promise<void> {
  await Deno.stat(`${node.base}/.`).catch((error) => {
    throw new CliError("file-system", `Cannot use the disk of this node "${node.base}": ${messageOf(error)}`, {
      hint:
        "`euler-files config set node_base DIRECTORY` names another one; or use `--to scratch`, which needs no node disk",
      cause: error,
    });
  });
  await preparePrivateDirectory(node.root, userId);
  await checkNode(node, userId);
}

/** Throws a CliError `refused` if other users can write, or have put files, into our directory on the node's disk. */
export async function checkNode(node: NodeDisk, userId: number): Promise<void> {
  await refuseUntrusted(
    { path: node.root, strictFrom: node.root, userId },
    "`euler-files config set node_base DIRECTORY` names another disk; or use `--to scratch`, which needs no node disk",
  );
  await refusePlanted(node.root);
}

/**
 * When a copy was complete, in seconds since 1970; undefined if it is not. A copy on the node counts as old if it is from
 * before the copy on scratch, its source, was complete.
 */
export async function syncedAt(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  { userId }: Pick<System, "userId">,
): Promise<number | undefined> {
  const marker = await readMarker(layoutOf(cacheRoot, name).marker, userId);
  return typeof marker === "string" ? undefined : marker.synced_at;
}
