// Takes away a target that was staged from another source, unless it holds work that was never pushed.
import { messageOf } from "../errors.ts";
import { formatFiles, shellWord } from "../format.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { readManifest } from "../transfer/manifest.ts";
import { planTransfer } from "../transfer/transfer.ts";
import type { VariableLayout } from "./layout.ts";
import type { StageWarning } from "./stage_result.ts";

/** Renames the target aside and removes it if nothing on it is new; else leaves it there and says where. */
export async function retireTarget(
  { layout, formerSource }: { readonly layout: VariableLayout; readonly formerSource: string },
  system: System,
): Promise<StageWarning[]> {
  const unpushed = await countUnpushed(layout, formerSource, system);
  // Only what may go has a temporary name: a sweep removes it where this process is killed.
  const aside = unpushed === 0
    ? temporaryBeside(layout.target, "replaced")
    : `${layout.target}.replaced-${Math.floor(system.now() / 1000)}`;
  await Deno.rename(layout.target, aside);
  if (unpushed === 0) {
    return await removeInPlace(aside).then(() => [], (error) => [{
      text: `the former copy could not be removed altogether: ${messageOf(error)}`,
      hint: `remove it: rm -r ${shellWord(aside)}`,
    }]);
  }
  return [{
    text: `the source changed from ${formerSource}; the former copy has ` +
      `${unpushed === undefined ? "perhaps changes" : formatFiles(unpushed)} never pushed and is kept in "${aside}"`,
    hint: `remove it when you don't need it: rm -r ${shellWord(aside)}`,
  }];
}

async function countUnpushed(
  layout: VariableLayout,
  formerSource: string,
  system: System,
): Promise<number | undefined> {
  const baseline = await readManifest(layout.manifest);
  if (baseline === undefined) return undefined;
  try {
    // Without the variable's filter: the copy is deleted with what is excluded in it, so that counts as well.
    const plan = await planTransfer({
      from: layout.target,
      to: formerSource,
      intent: "push",
      depth: "look-at-all",
      engine: "auto",
      extraArgs: [],
      baseline,
    }, system);
    // What is in a directory that can't be read was perhaps never pushed.
    return plan.unreadable.length > 0 ? undefined : plan.filesToTransfer + plan.kept.length;
  } catch {
    // The former source is gone, say: then this may be the last copy.
    return undefined;
  }
}
