// The third tier: a variable's copy on scratch is the source of one on the disk of the node. The second copy is staged and pushed by
// the same code as the first, only its two directories are other ones.
import type { NodeDisk } from "../config/resolve.ts";
import { joinPath } from "../config/paths.ts";
import { CliError, messageOf } from "../errors.ts";
import { refuseUntrusted } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import { refusePlanted } from "./cache_root.ts";
import { layoutOf } from "./layout.ts";
import { readMarker } from "./marker.ts";
import { preparePrivateDirectory } from "./private_directory.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** The variable as it is between scratch and the node. */
export function onNode(variable: Variable, node: NodeDisk): Variable {
  const { source, target, name } = variable;
  return { ...variable, source: target, target: joinPath(node.root, name), origin: source };
}

/** The settings for the directories of the node. */
export function nodeSettings(settings: StagingSettings, node: NodeDisk): StagingSettings {
  return { ...settings, scratchBase: node.base, cacheRoot: node.root };
}

/** Makes our directory on the node's disk. Throws a CliError where there is no such disk, or where the directory is not ours. */
export async function prepareNode(node: NodeDisk, userId: number): Promise<void> {
  await Deno.stat(`${node.base}/.`).catch((error) => {
    throw new CliError("file-system", `Cannot use the disk of this node "${node.base}": ${messageOf(error)}`, {
      hint: "`euler-files config set node_base DIRECTORY` names another one; --to scratch does without",
      cause: error,
    });
  });
  await preparePrivateDirectory(node.root, userId);
  await checkNode(node, userId);
}

/** Throws a CliError `refused` where our directory on the node's disk exists and others can write in it, or put something there. */
export async function checkNode(node: NodeDisk, userId: number): Promise<void> {
  await refuseUntrusted(
    { path: node.root, strictFrom: node.root, userId },
    "`euler-files config set node_base DIRECTORY` names another disk; --to scratch does without",
  );
  await refusePlanted(node.root);
}

/**
 * When a copy was complete, in seconds since 1970; undefined where it is not. A copy on the node from before its source on scratch
 * was complete is old, however young it is.
 */
export async function syncedAt(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  { userId }: Pick<System, "userId">,
): Promise<number | undefined> {
  const marker = await readMarker(layoutOf(cacheRoot, name).marker, userId);
  return typeof marker === "string" ? undefined : marker.synced_at;
}
