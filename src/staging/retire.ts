// Removes a target that was staged from another source, unless it holds changes that were never pushed.
import { messageOf } from "../errors/errors.ts";
import { formatFiles, shellWord } from "../text/format.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { unusedName, type VariableLayout } from "../variables/layout.ts";
import type { StageWarning } from "./stage_result.ts";
import { countUnpushed } from "./unpushed.ts";

/** Renames the target; then removes it if it holds no unpushed changes, else keeps it and warns with its path. */
export async function retireTarget(
  { layout, formerSource }: { readonly layout: VariableLayout; readonly formerSource: string },
  system: System,
): Promise<StageWarning[]> {
  // Ignore the variable's filter: removing the copy removes excluded files as well, so they count as unpushed.
  const unpushed = await countUnpushed({ layout, source: formerSource }, system);
  // Counting ends early after a signal.
  system.signal.throwIfAborted();
  // Use a temporary name only if the directory may be lost: if this process is killed, a later sweep removes it.
  const aside = unpushed === 0 ? temporaryBeside(layout.target, "replaced") : await unusedName(layout.target, system);
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
    hint: `remove it when you do not need it: rm -r ${shellWord(aside)}`,
  }];
}
